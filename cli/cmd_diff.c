/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit diff`: stored runs of two builds compared. */
#include "cmd.h"

#include <errno.h>
#include <stdlib.h>

#include "rights.h"
#include "verdict.h"

struct options {
	struct verdict_options verdict;
};

static const struct opt option_table[] = {
	VERDICT_OPTIONS(struct options),
	{0},
};

/* The runs of a file; one without is a run by itself. */
struct stored {
	struct probekit_snapshot *file;
	const struct probekit_snapshot **runs;
	size_t count;
};

static int load(const char *path, struct stored *stored, struct probekit_error *err)
{
	int result = probekit_snapshot_read(path, &stored->file, err);
	size_t runs;

	if (result)
		return result;
	runs = probekit_snapshot_run_count(stored->file);
	stored->count = runs ? runs : 1;
	stored->runs = calloc(stored->count, sizeof(*stored->runs));
	if (!stored->runs) {
		probekit_snapshot_free(stored->file);
		stored->file = NULL;
		return failure_error(err, -ENOMEM, "cannot read '%s': no memory", path);
	}
	for (size_t i = 0; i < stored->count; i++)
		stored->runs[i] = runs ? probekit_snapshot_run(stored->file, i) : stored->file;
	return 0;
}

static void stored_free(struct stored *stored)
{
	free(stored->runs);
	probekit_snapshot_free(stored->file);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int give(const struct options *options, const struct opt_operands *operands,
		const struct stored *base, const struct stored *head,
		const struct verdict_rules *rules)
{
	const struct verdict_subject subject = {
		.base = operands->target,
		.head = operands->second,
		.mode = "stored",
		.base_runs = base->runs,
		.head_runs = head->runs,
		.pairs = smaller(base->count, head->count),
	};

	if (base->count != head->count)
		fprintf(stderr,
			"probekit: %zu runs of base and %zu of head: the first %zu of each are compared\n",
			base->count, head->count, subject.pairs);
	return verdict_give(&options->verdict, rules, &subject);
}

static int run(void *values, const struct opt_operands *operands)
{
	struct options *options = values;
	struct stored base = {0};
	struct stored head = {0};
	struct verdict_rules rules;
	struct probekit_error err;
	int code;

	if (!operands->second) {
		usage_error(&err, "diff: two files are compared, base's and head's");
		return report_error(&err);
	}
	rights_keep(rights_to_read | verdict_rights(&options->verdict));
	if (verdict_prepare(&options->verdict, &rules, &err))
		return report_error(&err);
	if (load(operands->target, &base, &err) || load(operands->second, &head, &err))
		code = report_error(&err);
	else
		code = give(options, operands, &base, &head, &rules);
	stored_free(&base);
	stored_free(&head);
	verdict_rules_free(&rules);
	return code;
}

const struct command command_diff = {
	.name = "diff",
	.summary = "what became slower between two builds, from stored runs",
	.synopsis = (const char *const[]){"[OPTIONS] BASE.json HEAD.json", NULL},
	.description =
		(const char *const[]){
			"Compares the runs in two files of `probekit record --runs`, run by run: the first "
			"with the first. A change counts when it is certain over all probes together (p at "
			"most 5 %) and at least --delta; fewer than six runs decide nothing.",
			"Runs that were recorded at different times carry what the machine did then: "
			"`probekit compare` runs both builds by turns, and sees smaller changes.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){{"probekit diff base.json head.json",
					  "What changed, and why:"},
					 {"probekit diff --fail-on 'p99>+10%' base.json head.json",
					  "Fail only on tails that are a tenth slower:"},
					 {NULL, NULL}},
	.takes_second = true,
	.gives_verdict = true,
	.options_size = sizeof(struct options),
	.run = run,
};
