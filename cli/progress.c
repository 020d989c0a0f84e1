/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the live line; it is overwritten in place and leaves nothing behind. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "format.h"

void progress_init(struct progress *progress, bool is_wanted, uint64_t limit_ns)
{
	*progress = (struct progress){
		.is_wanted = is_wanted && isatty(STDERR_FILENO),
		.limit_ns = limit_ns,
	};
}

void progress_show(struct progress *progress, uint64_t elapsed_ns, uint64_t count)
{
	double since = (double)(elapsed_ns - progress->last_ns) / 1e9;
	double grown = count > progress->last_count ? (double)(count - progress->last_count) : 0;
	char of[64] = "";

	if (!progress->is_wanted || since <= 0)
		return;
	if (progress->limit_ns)
		snprintf(of, sizeof(of), " of %s",
			 format_duration((double)progress->limit_ns).text);
	fprintf(stderr, "\r%.1f s%s   %s spans   %s   Ctrl-C ends it and prints\033[K",
		(double)elapsed_ns / 1e9, of, format_count(count).text,
		format_rate(grown / since).text);
	fflush(stderr);
	progress->is_shown = true;
	progress->last_ns = elapsed_ns;
	progress->last_count = count;
}

void progress_clear(struct progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}
