/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that C++ exceptions and forced unwinding leave, or run while they do. */
#include <functional>
#include <memory>
#include <pthread.h>
#include <stdexcept>
#include <string>

#include "calls.h"

COUNTER_AS(thrower, "calls::thrower");
COUNTER_AS(passes, "calls::passes");
COUNTER_AS(catches, "calls::catches");
COUNTER_AS(rethrows, "calls::rethrows");
COUNTER_AS(translates, "calls::translates");
COUNTER_AS(cleans, "calls::cleans");
COUNTER_AS(guard, "calls::Guard::~Guard");
COUNTER_AS(deep, "calls::deep");
COUNTER_AS(leaf, "calls::leaf");
COUNTER_AS(thread, "calls::run_thread");
COUNTER_AS(leaves, "calls::leaves_thread");
COUNTER_AS(cancelled, "calls::waits_for_cancel");
COUNTER_AS(generic, "*calls::generic<*");
COUNTER_AS(overloaded_int, "calls::overloaded(int)");
COUNTER_AS(overloaded_text, "calls::overloaded(char const*)");
COUNTER_AS(area, "calls::Square::area");
COUNTER_AS(construct, "calls::Fragile::Fragile");

namespace calls
{

NOINLINE uint64_t leaf(uint64_t value);
NOINLINE uint64_t leaf(uint64_t value)
{
	CALL(leaf);
	touch();
	DONE(leaf);
	return value * 5 + 1;
}

struct Failure : std::runtime_error {
	uint64_t value;
	explicit Failure(uint64_t v) : std::runtime_error("failure"), value(v)
	{
	}
};

/* Its destructor throws, and catches, while another exception passes. */
struct Guard {
	uint64_t value;
	explicit Guard(uint64_t v) : value(v)
	{
	}
	NOINLINE ~Guard();
};

NOINLINE uint64_t thrower(uint64_t value)
{
	CALL(thrower);
	if (leaf(value) % 4 != 0)
		throw Failure(value);
	DONE(thrower);
	return value;
}

Guard::~Guard()
{
	CALL(guard);
	try {
		note(thrower(value) + 1);
	} catch (const Failure &failure) {
		note(failure.value + leaf(value));
	}
	DONE(guard);
}

NOINLINE uint64_t passes(uint64_t value)
{
	uint64_t result;

	CALL(passes);
	result = thrower(value) + 2;
	touch();
	DONE(passes);
	return result;
}

NOINLINE uint64_t cleans(uint64_t value)
{
	uint64_t result;

	CALL(cleans);
	Guard outer(value + 1);
	{
		Guard inner(value + 2);
		result = passes(value);
	}
	DONE(cleans);
	return result;
}

NOINLINE uint64_t rethrows(uint64_t value)
{
	uint64_t result;

	CALL(rethrows);
	try {
		result = cleans(value);
	} catch (...) {
		note(leaf(value));
		throw;
	}
	DONE(rethrows);
	return result;
}

NOINLINE uint64_t translates(uint64_t value)
{
	uint64_t result;

	CALL(translates);
	try {
		result = rethrows(value);
	} catch (const Failure &failure) {
		throw std::string(failure.value % 7, 'x');
	}
	DONE(translates);
	return result;
}

NOINLINE uint64_t catches(uint64_t value)
{
	uint64_t result;

	CALL(catches);
	try {
		result = translates(value);
	} catch (const std::string &text) {
		result = text.size() + leaf(value);
	}
	DONE(catches);
	return result;
}

static void exceptions(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(catches(i));
}

NOINLINE uint64_t deep(uint64_t depth, uint64_t catch_at)
{
	uint64_t result;

	CALL(deep);
	if (depth == 0) {
		note(passes(catch_at));
		DONE(deep);
		return 1;
	}
	if (depth == catch_at) {
		try {
			result = deep(depth - 1, catch_at);
		} catch (const Failure &failure) {
			result = failure.value + leaf(depth);
		}
	} else {
		result = deep(depth - 1, catch_at) + 1;
	}
	touch();
	DONE(deep);
	return result;
}

/* Thrown at depth 20, caught at 1 to 19. */
static void deep_exceptions(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(deep(20, i % 19 + 1));
}

/* ---- kinds of functions ---- */

template <typename T> NOINLINE T generic(T value)
{
	CALL(generic);
	touch();
	DONE(generic);
	return value + 1;
}

NOINLINE uint64_t overloaded(int value);
NOINLINE uint64_t overloaded(int value)
{
	CALL(overloaded_int);
	touch();
	DONE(overloaded_int);
	return static_cast<uint64_t>(value) * 3;
}

NOINLINE uint64_t overloaded(const char *text);
NOINLINE uint64_t overloaded(const char *text)
{
	CALL(overloaded_text);
	touch();
	DONE(overloaded_text);
	return static_cast<uint64_t>(text[0]);
}

struct Shape {
	virtual ~Shape() = default;
	virtual uint64_t area() const = 0;
};

struct Square : Shape {
	uint64_t side;
	explicit Square(uint64_t s) : side(s)
	{
	}
	NOINLINE uint64_t area() const override;
};

uint64_t Square::area() const
{
	CALL(area);
	touch();
	DONE(area);
	return side * side;
}

struct Fragile {
	Guard guard;
	NOINLINE explicit Fragile(uint64_t value);
};

Fragile::Fragile(uint64_t value) : guard(value)
{
	CALL(construct);
	note(thrower(value));
	DONE(construct);
}

static void kinds(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		std::unique_ptr<Shape> shape(new Square(i));
		std::function<uint64_t(uint64_t)> call = leaf;

		note(generic(i) + static_cast<uint64_t>(generic(2.5)));
		note(overloaded(static_cast<int>(i)) + overloaded("x"));
		note(shape->area() + call(i));
		try {
			note(Fragile(i).guard.value);
		} catch (const Failure &failure) {
			note(failure.value);
		}
	}
}

/* ---- threads that end inside: forced unwinding runs the destructors ---- */

struct Cleanup {
	uint64_t value;
	~Cleanup()
	{
		note(leaf(value));
	}
};

NOINLINE void leaves_thread(uint64_t value);
NOINLINE void leaves_thread(uint64_t value)
{
	CALL(leaves);
	Cleanup cleanup{value};
	pthread_exit(nullptr);
}

NOINLINE void waits_for_cancel(uint64_t value);
NOINLINE void waits_for_cancel(uint64_t value)
{
	CALL(cancelled);
	Cleanup cleanup{value};
	for (;;)
		pause_ms(1000);
}

NOINLINE void *run_thread(void *arg);
NOINLINE void *run_thread(void *arg)
{
	const uint64_t value = *static_cast<uint64_t *>(arg);

	CALL(thread);
	Cleanup cleanup{value + 1};
	if (value % 2)
		leaves_thread(value);
	else
		waits_for_cancel(value);
	DONE(thread);
	return nullptr;
}

static void threads(unsigned long count)
{
	for (uint64_t i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, nullptr, run_thread, &i))
			abort();
		while (i % 2 == 0 &&
		       __atomic_load_n(&calls_of_cancelled.entered, __ATOMIC_RELAXED) <= i / 2)
			pause_ms(1);
		if ((i % 2 == 0 && pthread_cancel(thread)) || pthread_join(thread, nullptr))
			abort();
	}
}

} // namespace calls

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"exceptions", calls::exceptions},
		{"deep_exceptions", calls::deep_exceptions},
		{"kinds", calls::kinds},
		{"threads", calls::threads},
		{nullptr, nullptr},
	};

	return calls_main(argc, argv, modes);
}
