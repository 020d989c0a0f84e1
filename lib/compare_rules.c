/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what a rule may say. */
#include "compare_rules.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	double factor;
	bool is_absolute;
} units[] = {
	{"%", 0.01, false}, {"ns", 1, true},  {"us", 1e3, true},
	{"ms", 1e6, true},  {"s", 1e9, true}, {"", 1, true},
};

static int wrong(const char *text, const char *why, struct probekit_error *err)
{
	error_usage(err, "cannot understand the rule '%s': %s", text, why);
	return error_hint(err, -EINVAL,
			  "a rule is '[PROBE ]MEASURE>+BOUND': 'p99>+10%%', "
			  "'logger:flush p50>+50us', 'lock>+5%%'");
}

static int parse_bound(const char *text, const char *bound, struct compare_rule *rule,
		       struct probekit_error *err)
{
	char *unit;
	double number;

	while (isspace((unsigned char)*bound))
		bound++;
	if (*bound != '+')
		return wrong(text, "a '+' and a bound are to follow the '>'", err);
	if (!isdigit((unsigned char)bound[1]))
		return wrong(text, "the bound is not a number", err);
	number = strtod(bound + 1, &unit);
	while (isspace((unsigned char)*unit))
		unit++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		rule->bound = number * units[i].factor;
		rule->is_absolute = units[i].is_absolute;
		rule->is_quantity = !*unit;
		return isfinite(rule->bound) ? 0 : wrong(text, "the bound is too large", err);
	}
	return wrong(text, "the bound's unit is none of %, ns, us, ms, s", err);
}

/* The last word before the '>'; what stands before it is the probe. */
static int parse_measure(const char *text, const char *end, struct compare_rule *rule,
			 struct probekit_error *err)
{
	const char *word;

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	for (word = end; word > text && !isspace((unsigned char)word[-1]); word--)
		;
	if (word == end)
		return wrong(text, "no measure stands before the '>'", err);
	rule->measure = compare_measure_find(word, (size_t)(end - word));
	if (!rule->measure)
		return wrong(text,
			     "its measure is none of p50, p90, p99, mean and the classes of time",
			     err);
	if (rule->measure->is_informational)
		return wrong(text, "p99.9 is told, and too rare to decide by; take p99", err);
	while (word > text && isspace((unsigned char)word[-1]))
		word--;
	while (isspace((unsigned char)*text))
		text++;
	if (word <= text)
		return 0;
	rule->glob = strndup(text, (size_t)(word - text));
	return rule->glob ? 0 : error_no_memory(err);
}

int compare_rule_parse(const char *text, struct compare_rule *rule, struct probekit_error *err)
{
	/* The last one: a C++ name may have its own ("operator>"). */
	const char *sign = strrchr(text, '>');
	struct compare_rule made = {.text = text};
	int result;

	if (!sign)
		return wrong(text, "it has no '>'", err);
	result = parse_bound(text, sign + 1, &made, err);
	if (!result)
		result = parse_measure(text, sign, &made, err);
	if (!result && made.is_quantity && !made.glob)
		result = wrong(text,
			       "a bound without a unit is of a quantity, which is to be named: "
			       "'PROBE p99>+10'; a time has one: '+10us'",
			       err);
	if (result)
		compare_rule_done(&made);
	else
		*rule = made;
	return result;
}

void compare_rule_done(struct compare_rule *rule)
{
	free(rule->glob);
	rule->glob = NULL;
}
