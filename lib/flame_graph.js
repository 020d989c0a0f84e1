// SPDX-License-Identifier: BSD-2-Clause
// Search, zoom and details of the flame graphs in this file. A frame is a <g class="f">: data-f
// has where it begins, how wide it is and how deep it lies; the first line of its <title> is its
// name. Names are untrusted: they are only ever read and written as text.
"use strict";
(() => {
	const NAMESPACE = "http://www.w3.org/2000/svg";
	const LEFT = 10, WIDTH = 1180; // as flame_graph.c has them, with those below
	const COLUMN = 7.25, PADDING = 3, GAP = 0.5, GAP_WIDTH_MIN = 2, WIDTH_MIN = 0.1, BASE = 12;
	const root = document.documentElement;
	const input = document.querySelector(".bar input");
	const details = document.querySelector(".details");
	const bar = document.querySelector(".bar");
	let current = null;

	// Parents come first: the last frame of a depth is the parent of what is deeper.
	function readFrames(group, graph) {
		const open = [];
		return [...group.querySelectorAll(".f")].map((element, index) => {
			const [from, time, depth] = element.dataset.f.split(" ").map(Number);
			const title = element.querySelector("title").textContent;
			const frame = {
				element, graph, index, from, time, depth, title,
				name: title.split("\n", 1)[0],
				rect: element.querySelector("rect"),
				label: element.querySelector("text"),
				parent: depth > 0 ? open[depth - 1] : null,
			};
			open[depth] = frame;
			return frame;
		});
	}

	const graphs = [...document.querySelectorAll(".graph")].map((group) => {
		const graph = { group, omitted: Number(group.dataset.omitted), focus: null };
		graph.frames = readFrames(group, graph);
		graph.matched = group.querySelector(".matched");
		graph.focus = graph.frames[0];
		return graph;
	});
	const byElement = new Map(
		graphs.flatMap((graph) => graph.frames.map((f) => [f.element, f])));

	const columnsOf = (character) => (character < "\x80" ? 1 : 2);

	// What of the text fits, as svg_text_cut() has it.
	function cut(text, columns) {
		const characters = [...text];
		let used = 0, size = 0, fits = 0;
		if (columns < 3)
			return "";
		while (size < characters.length && used + columnsOf(characters[size]) <= columns) {
			used += columnsOf(characters[size++]);
			if (used + 2 <= columns)
				fits = size;
		}
		const isWhole = size === characters.length;
		return isWhole ? text : characters.slice(0, fits).join("") + "..";
	}

	function place(frame, x, width) {
		const text = cut(frame.name, Math.floor((width - 2 * PADDING) / COLUMN));
		frame.element.classList.toggle("hidden", width < WIDTH_MIN);
		frame.rect.setAttribute("x", x);
		frame.rect.setAttribute("width", width > GAP_WIDTH_MIN ? width - GAP : width);
		if (text && !frame.label) {
			frame.label = document.createElementNS(NAMESPACE, "text");
			frame.element.append(frame.label);
			frame.label.setAttribute("y", Number(frame.rect.getAttribute("y")) + BASE);
		}
		if (frame.label) {
			frame.label.setAttribute("x", x + PADDING);
			frame.label.textContent = text;
		}
	}

	// The frame and all that it stands on fill the width, what is beside them goes.
	function zoom(frame) {
		const graph = frame.graph;
		const below = new Set();
		let isWithin = false;
		for (let f = frame.parent; f; f = f.parent)
			below.add(f);
		for (const f of graph.frames) {
			isWithin = f === frame || (isWithin && f.depth > frame.depth);
			f.element.classList.toggle("above", below.has(f));
			if (isWithin)
				place(f, LEFT + (f.from - frame.from) / frame.time * WIDTH,
					f.time / frame.time * WIDTH);
			else
				place(f, LEFT, below.has(f) ? WIDTH : 0);
		}
		graph.focus = frame;
	}

	function reset() {
		for (const graph of graphs)
			if (graph.frames.length)
				zoom(graph.frames[0]);
	}

	// "/regular expression/", or a part of the name; null: a bad expression.
	function matcher(term) {
		if (term.length < 2 || term[0] !== "/") {
			const part = term.toLowerCase();
			return (name) => part !== "" && name.toLowerCase().includes(part);
		}
		try {
			const expression = new RegExp(term.slice(1).replace(/\/$/, ""), "i");
			return (name) => expression.source !== "(?:)" && expression.test(name);
		} catch {
			return null;
		}
	}

	// Of frames that match within one that does, the time is counted once.
	function searchGraph(graph, isMatch, term) {
		let time = 0;
		let counted = Infinity;
		for (const frame of graph.frames) {
			const hit = isMatch(frame.name);
			frame.element.classList.toggle("hit", hit);
			if (frame.depth <= counted)
				counted = Infinity;
			if (hit && counted === Infinity) {
				time += frame.time;
				counted = frame.depth;
			}
		}
		const share = graph.frames.length ? 100 * time / graph.frames[0].time : 0;
		graph.matched.textContent = term === "" ? ""
			: `matched: ${graph.omitted ? "at least " : ""}${share.toFixed(2)} %`;
	}

	function search() {
		const isMatch = matcher(input.value);
		input.classList.toggle("bad", isMatch === null);
		for (const graph of graphs)
			searchGraph(graph, isMatch || (() => false), isMatch ? input.value : "");
	}

	function find(term) {
		input.value = term;
		search();
	}

	function show(frame) {
		details.textContent = frame ? cut(frame.title.replaceAll("\n", "  \u00b7  "),
			Math.floor(WIDTH / COLUMN)) : "";
	}

	function select(frame) {
		if (!frame)
			return;
		current?.element.classList.remove("current");
		current = frame;
		frame.element.classList.add("current");
		frame.rect.scrollIntoView({ block: "nearest" });
		show(frame);
	}

	const isShown = (frame) => !frame.element.classList.contains("hidden");

	// Up is away from the root, left and right stay in the row.
	const moves = {
		ArrowUp: (f) => f.graph.frames.slice(f.index + 1)
			.find((o) => o.parent === f && isShown(o)),
		ArrowDown: (f) => f.parent || graphs[graphs.indexOf(f.graph) + 1]?.frames[0],
		ArrowLeft: (f) => f.graph.frames.slice(0, f.index)
			.findLast((o) => o.depth === f.depth && isShown(o)),
		ArrowRight: (f) => f.graph.frames.slice(f.index + 1)
			.find((o) => o.depth === f.depth && isShown(o)),
	};

	function press(event) {
		if (event.key === "Escape") {
			find("");
			input.blur();
			reset();
		} else if (event.target === input) {
			return;
		} else if (event.key === "/") {
			input.focus();
		} else if (event.key === "Enter" && current) {
			zoom(current);
		} else if (moves[event.key]) {
			select(current ? moves[event.key](current) : graphs[0]?.frames[0]);
		} else {
			return;
		}
		event.preventDefault();
	}

	const frameOf = (event) => byElement.get(event.target.closest(".f"));

	root.addEventListener("click", (event) => {
		const frame = frameOf(event);
		const legend = event.target.closest(".legend");
		if (frame)
			zoom(frame);
		else if (legend)
			find(legend.dataset.find);
	});
	root.addEventListener("mouseover", (event) => show(frameOf(event) || current));
	document.addEventListener("keydown", press);
	input.addEventListener("input", search);
	document.querySelector(".reset").addEventListener("click", reset);
	window.addEventListener("scroll", () =>
		bar.setAttribute("transform", `translate(${window.scrollX} ${window.scrollY})`));
	root.classList.add("scripted");
})();
