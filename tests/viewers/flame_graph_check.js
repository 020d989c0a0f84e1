// SPDX-License-Identifier: BSD-2-Clause
// Uses the flame graph that it stands in as a person would, with mouse and keyboard, and leaves in
// the root's data-result what did not come out as it must. The graph is profile_of_service()
// (tests/unit/profiles.c) and one frame with a hostile name.
"use strict";
{
	const failures = [];
	let checks = 0;
	const root = document.documentElement;
	const input = document.querySelector("input");

	function check(what, is, must) {
		checks++;
		if (is !== must)
			failures.push(`${what}: ${is}, not ${must}`);
	}

	const nameOf = (frame) => frame.querySelector("title").textContent.split("\n")[0];
	const graphs = document.querySelectorAll(".graph");
	const framesOf = (graph) => [...graphs[graph].querySelectorAll(".f")];
	const find = (graph, name) => framesOf(graph).find((frame) => nameOf(frame) === name);
	const rectOf = (frame) => frame.querySelector("rect");
	const styleOf = (frame) => getComputedStyle(rectOf(frame));
	const widthOf = (frame) => Math.round(Number(rectOf(frame).getAttribute("width")));
	const isShown = (frame) => getComputedStyle(frame).display !== "none";
	const labelOf = (frame) => frame.querySelector("text").textContent;
	const matchedOf = (graph) => document.querySelectorAll(".matched")[graph].textContent;
	const details = () => document.querySelector(".details").textContent;

	// What is under the middle of the element gets the event, as from a mouse.
	function point(type, element) {
		element.scrollIntoView({ block: "center" });
		const box = element.getBoundingClientRect();
		const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
		document.elementFromPoint(at.clientX, at.clientY)
			.dispatchEvent(new MouseEvent(type, { bubbles: true, ...at }));
	}

	function type(text) {
		input.value = text;
		input.dispatchEvent(new InputEvent("input", { bubbles: true }));
	}

	const press = (key) => (document.activeElement || root).dispatchEvent(
		new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

	function checkZoom() {
		const lock = find(0, "pthread_mutex_lock");
		const before = widthOf(lock);
		point("click", rectOf(lock));
		check("width of the zoomed frame", widthOf(lock), 1180);
		check("width of its caller", widthOf(find(0, "append_line")), 1180);
		check("caller is marked", find(0, "append_line").classList.contains("above"), true);
		check("caller is paler", styleOf(find(0, "serve")).fillOpacity, "0.35");
		check("width of what it calls", widthOf(find(0, "[lock futex]")), 1180);
		check("its neighbour is shown", isShown(find(0, "flush_log")), false);
		check("the other graph", widthOf(find(1, "all on-CPU")), 1180);
		check("the other graph's frames", isShown(find(1, "memcpy")), true);
		point("click", rectOf(find(0, "handle_request")));
		const name = "std::vector<std::pair<int, char>>::emplace_back(int&&, char&&)";
		check("a longer label after zoom", labelOf(find(0, name)), "std::vecto..");
		point("click", document.querySelector(".reset"));
		check("width after reset", widthOf(lock), before);
		check("its neighbour after reset", isShown(find(0, "flush_log")), true);
		check("nothing is marked", document.querySelectorAll(".above").length, 0);
	}

	function checkSearch() {
		type("MUTEX");
		check("hits", document.querySelectorAll(".hit").length, 1);
		check("colour of a hit", styleOf(find(0, "pthread_mutex_lock")).fill,
			"rgb(224, 0, 224)");
		type("log_wait");
		const hit = find(0, "jbd2_log_wait_commit");
		check("opacity of a hit", styleOf(hit).fillOpacity, "1");
		type("mutex");
		check("share off-CPU", matchedOf(0), "matched: 45.49 %");
		check("share on-CPU", matchedOf(1), "matched: 0.00 %");
		type("/^(parse|memcpy)$/");
		check("hits of an expression", document.querySelectorAll(".hit").length, 4);
		check("share of nested hits", matchedOf(1), "matched: 75.27 %");
		type("/(/");
		check("a bad expression is marked", input.classList.contains("bad"), true);
		check("a bad expression hits", document.querySelectorAll(".hit").length, 0);
		point("click", document.querySelector(".legend.disk text"));
		check("share of a class", matchedOf(0), "matched: 21.00 %");
		press("Escape");
		check("hits after Escape", document.querySelectorAll(".hit").length, 0);
		check("share after Escape", matchedOf(0), "");
	}

	function checkDetails() {
		point("mouseover", rectOf(find(1, "memcpy")));
		check("details", details(), "memcpy  \u00b7  app.c:10 in /usr/bin/app  \u00b7  " +
			"800 ms, 28.67 % of on-CPU time");
		check("scrolled", window.scrollY > 0, true);
		// The browser's own comes with the next frame, and there is none here.
		window.dispatchEvent(new Event("scroll"));
		const bar = document.querySelector(".bar rect").getBoundingClientRect();
		check("the bar stays in sight", Math.round(bar.y), -1);
	}

	const current = () => nameOf(document.querySelector(".current"));

	function checkKeys() {
		press("ArrowUp");
		check("first key", current(), "all off-CPU");
		press("ArrowUp");
		check("up", current(), "app");
		press("ArrowDown");
		press("ArrowDown");
		check("down to the other graph", current(), "all on-CPU");
		for (let i = 0; i < 6; i++)
			press("ArrowUp");
		press("ArrowRight");
		check("right", current(), "parse");
		press("Enter");
		check("zoom by Enter", widthOf(find(1, "parse")), 1180);
		press("Escape");
		press("/");
		check("search gets the focus", document.activeElement, input);
		press("Escape");
	}

	function checkHostile() {
		const hostile = framesOf(0).filter((frame) => nameOf(frame).includes("script"));
		check("hostile names", hostile.length, 1);
		check("is text", nameOf(hostile[0]),
			"</title><script>document.documentElement.dataset.pwned=1</script>" +
			"]]\u003e\"'&amp;");
		point("mouseover", rectOf(hostile[0]));
		point("click", rectOf(hostile[0]));
		type("<script>");
		press("Escape");
		check("nothing of it ran", root.dataset.pwned, undefined);
		check("scripts", document.querySelectorAll("script").length, 2);
	}

	try {
		for (const part of [checkZoom, checkSearch, checkDetails, checkKeys, checkHostile])
			part();
	} catch (error) {
		failures.push(`after ${checks} checks: ${error.stack}`);
	}
	root.dataset.result = failures.length ? failures.join("\n") : `all ${checks} checks passed`;
}
