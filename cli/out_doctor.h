/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_DOCTOR_H
#define PROBEKIT_CLI_OUT_DOCTOR_H
/* What `probekit doctor` found, as text: what is wrong first, the verdict last. */
#include <stdbool.h>
#include <stdio.h>

#include <probekit/probekit.h>

struct doctor_view {
	const char *system; /* "Linux 6.18.0 x86_64" */
	const struct probekit_support_row *const *rows;
	size_t size;
	bool can_measure;
	const char *verdict;
	const struct probekit_support_row *first; /* to mend; NULL: nothing */
};

void out_doctor_text(FILE *out, bool has_colour, unsigned int width,
		     const struct doctor_view *view);

#endif
