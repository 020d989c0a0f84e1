// SPDX-License-Identifier: BSD-2-Clause
// Return addresses whose functions, inlined functions and lines are known: prints "address A", then
// for each frame that stands there, innermost first, "frame inlined|whole LINE FUNCTION", then
// "done", and waits for its input to end.
#include <cstdio>
#include <string>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define INLINE inline __attribute__((always_inline))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static int lines[3];

NOINLINE static void tell(int frames, const char *const *names)
{
	std::printf("address %p\n", __builtin_return_address(0));
	for (int i = 0; i < frames; i++)
		std::printf("frame %s %d %s\n", i + 1 < frames ? "inlined" : "whole", lines[i],
			    names[i]);
	KEEP_FRAME();
}

namespace shapes
{
template <typename T> static INLINE void scale(T factor, const char *const *names)
{
	lines[0] = __LINE__ + 1;
	tell(3, names);
	lines[0] = static_cast<int>(factor);
}

struct circle {
	NOINLINE void grow(int by);
	INLINE void widen(int by, const char *const *names)
	{
		lines[1] = __LINE__ + 1;
		scale<char>(static_cast<char>(by), names);
		KEEP_FRAME();
	}
};

void circle::grow(int by)
{
	static const char *const names[] = {"shapes::scale<char>", "shapes::circle::widen",
					    "shapes::circle::grow"};

	lines[2] = __LINE__ + 1;
	widen(by, names);
	KEEP_FRAME();
}

template <typename T> NOINLINE void visit(const T &value)
{
	static const char *const names[] = {
		"shapes::visit<std::__cxx11::basic_string<char, std::char_traits<char>, "
		"std::allocator<char> > >"};

	lines[0] = __LINE__ + 1;
	tell(1, names);
	lines[0] = static_cast<int>(value.size());
}
} // namespace shapes

extern "C" NOINLINE void plain_c(void)
{
	static const char *const names[] = {"plain_c"};

	lines[0] = __LINE__ + 1;
	tell(1, names);
	KEEP_FRAME();
}

int main()
{
	shapes::circle circle;
	char byte;

	circle.grow(2);
	shapes::visit(std::string("a string"));
	plain_c();
	std::puts("done");
	std::fflush(stdout);
	return read(0, &byte, 1) != 0;
}
