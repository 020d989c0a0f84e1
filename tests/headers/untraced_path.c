// SPDX-License-Identifier: BSD-2-Clause
/* What untraced_path.sh disassembles. Also compiled with PROBEKIT_DISABLE, to compare. */
#include <probekit/probe.h>

int work(int x);
int scoped(int x);
int scoped_leaf(const int *p, int x);
int keyed(int x);
int explicit_pair(const int *p, int x);
int event(const int *p, int x);

int scoped(int x)
{
	PROBEKIT_SPAN(app, scoped);

	if (x > 5)
		x = work(x);
	return work(x) + 1;
}

int scoped_leaf(const int *p, int x)
{
	PROBEKIT_SPAN(app, scoped_leaf);

	return p[0] * x + p[1];
}

int keyed(int x)
{
	PROBEKIT_SPAN_KEY(app, keyed, x);

	return work(x) + 1;
}

int explicit_pair(const int *p, int x)
{
	PROBEKIT_SPAN_BEGIN(app, explicit_pair);
	x *= p[0];
	PROBEKIT_SPAN_END(app, explicit_pair);
	return x;
}

int event(const int *p, int x)
{
	PROBEKIT_EVENT(app, event, x, p);
	return p[x];
}
