/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of any text: what is understood makes sense, what is not is told in one line. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probekit_error err = {0};
	struct compare_rule rule;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (compare_rule_parse(text, &rule, &err) == 0) {
		if (!rule.measure || !isfinite(rule.bound) || rule.bound < 0 ||
		    (rule.glob && (!rule.glob[0] || strlen(rule.glob) > size)))
			__builtin_trap();
		compare_rule_done(&rule);
	} else if (!err.text[0] || strchr(err.text, '\n')) {
		__builtin_trap();
	}
	free(text);
	return 0;
}
