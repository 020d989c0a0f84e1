/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_PROFILE_H
#define PROBEKIT_CLI_OUT_PROFILE_H
/* A profile as text for people and as JSON (docs/profile-format.md). */
#include "out_text.h"

/* -ENOMEM. */
int out_profile_text(FILE *out, const struct text_style *style,
		     const struct probekit_profile *profile);
void out_profile_json(FILE *out, const struct probekit_profile *profile);

#endif
