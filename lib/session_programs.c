/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what the caller says of programs of its own, and is told of their sites. */
#include <string.h>

#include "session.h"

#define ATTACH_TYPE_PERF 0 /* perf events do not ask for one */

int probekit_session_add_program(struct probekit_session *session,
				 const struct probekit_program *program, struct probekit_error *err)
{
	struct probekit_program known = {0};
	int result = session_require_new(session, err);

	if (!result && (program->size > sizeof(known) || program->size < sizeof(program->size)))
		result = error_usage(err, "the program's description is of a newer library");
	if (result)
		return result;
	memcpy(&known, program, program->size);
	return custom_add(&session->custom, &known, err);
}

int probekit_session_attach_type(const struct probekit_session *session, struct probekit_error *err)
{
	struct features features;
	bool use_multi;
	int result;

	features_detect(&features, NULL);
	result = features_require(&features, err);
	if (!result)
		result = features_choose_attach(&features, session_is_by_pid(session), &use_multi,
						err);
	if (result)
		return result;
	return use_multi ? ATTACH_TYPE_UPROBE_MULTI : ATTACH_TYPE_PERF;
}

size_t probekit_session_site_count(const struct probekit_session *session)
{
	return session->custom.site_count;
}

const struct probekit_site *probekit_session_site(const struct probekit_session *session, size_t i)
{
	return i < session->custom.site_count ? &session->custom.sites[i].shown : NULL;
}
