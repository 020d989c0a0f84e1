// SPDX-License-Identifier: BSD-2-Clause
/*
 * The matrix program's second file, in some combinations a shared object: the spans of the first
 * once more, and a function that nobody calls, for --gc-sections to drop.
 */
#include "matrix.h"

int sink(int x)
{
	return x;
}

int second_shared(int x)
{
	return inline_shared(x);
}

int second_same_span(int x)
{
	PROBEKIT_SPAN(matrix, by_return);
	return x;
}

void second_stop(void)
{
	PROBEKIT_SPAN_END(matrix, explicit_pair);
}

int second_never_called(int x)
{
	PROBEKIT_SPAN(matrix, never_called);
	PROBEKIT_EVENT(matrix, never_event, x);
	return x;
}
