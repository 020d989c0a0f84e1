/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what is written from the option tables: help, man pages in man(7), bash completion. */
#include "opts.h"

#include <string.h>

#include "format.h"

enum {
	HELP_WIDTH = 80,
	HELP_COLUMN = 29, /* where the options' texts begin */
};

static const char *const exit_codes[][2] = {
	{"0", "Done: also when interrupted, when every target ended, and when nothing happened."},
	{"1", "Failed: no such file or process, no matching probe, output cannot be written."},
	{"2", "The command line contradicts itself or has an unknown word."},
	{"3", "A privilege or a kernel feature is missing; the message names it."},
};

/* Of commands that give a verdict, instead of the same of the others. */
static const char *const verdict_exit_codes[][2] = {
	{"0", "No rule failed; without rules, nothing became slower for certain."},
	{"1",
	 "Failed: no such file, no matching probe, a run that failed, output cannot be written."},
};

static const char *const verdict_codes[][2] = {
	{"4", "A rule failed, or without rules something became slower for certain."},
	{"5",
	 "The two cannot be compared, nothing could be decided, or with --strict not everything."},
};

static const char *const command_codes[][2] = {
	{"126", "The command after \"--\" cannot be run."},
	{"127", "The command after \"--\" cannot be found."},
};

static const char *const environment[][2] = {
	{"NO_COLOR", "Not empty: no colour."},
	{"COLUMNS", "Width of the output, instead of the terminal's own."},
};

/* Words of `text` up to HELP_WIDTH, further lines behind `indent` blanks; the cursor is at `at`. */
static void print_wrapped(FILE *out, const char *text, size_t indent, size_t at)
{
	bool is_first = true;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (!is_first && at + 1 + length > HELP_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!is_first) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", (int)length, text);
		at += length;
		text += length + strspn(text + length, " ");
		is_first = false;
	}
	fputc('\n', out);
}

static void print_option(FILE *out, char letter, const char *name, const char *argument,
			 const char *help)
{
	char left[64];
	int length = snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", letter ? '-' : ' ',
			      letter ? letter : ' ', letter ? ", " : "  ", name,
			      argument ? " " : "", argument ? argument : "");

	if (length + 1 > HELP_COLUMN)
		fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
	else
		fprintf(out, "%-*s", HELP_COLUMN, left);
	print_wrapped(out, help, HELP_COLUMN, HELP_COLUMN);
}

void opts_print_help(FILE *out, const struct command *command)
{
	const char *lead = "Usage: ";

	for (size_t i = 0; command->synopsis[i]; i++, lead = "       ")
		fprintf(out, "%sprobekit %s %s\n", lead, command->name, command->synopsis[i]);
	for (size_t i = 0; command->description[i]; i++) {
		fputc('\n', out);
		print_wrapped(out, command->description[i], 0, 0);
	}
	fputs("\nOptions:\n", out);
	for (const struct opt *opt = command->options; opt->name; opt++)
		print_option(out, opt->letter, opt->name, opt->argument, opt->help);
	print_option(out, 'h', "help", NULL, "This text.");
	fputs("\nExamples:\n", out);
	for (const struct example *e = command->examples; e->command; e++)
		fprintf(out, "  %s\n      %s\n", e->command, e->text);
}

void opts_print_overview(FILE *out, const struct command *const *commands)
{
	fputs("Usage: probekit COMMAND [OPTIONS] [TARGET]\n\n"
	      "Measures the latency of spans in live processes and shows where it comes from.\n\n"
	      "Commands:\n",
	      out);
	for (; *commands; commands++)
		fprintf(out, "  %-12s%s\n", (*commands)->name, (*commands)->summary);
	fprintf(out, "  %-12s%s\n", "help", "what 'probekit COMMAND --help' prints");
	fputs("\nOptions:\n", out);
	print_option(out, 'h', "help", NULL, "This text.");
	print_option(out, 'V', "version", NULL, "The version of probekit.");
}

/* A line of man(7) text: no leading control character, hyphens that can be copied and pasted. */
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\'')
			fputs("\\(aq", out);
		else
			fputc(*text, out);
	}
	fputc('\n', out);
}

static void print_man_head(FILE *out, const char *command, const char *summary)
{
	const char *dash = command ? "-" : "";
	char title[64];
	size_t length = (size_t)snprintf(title, sizeof(title), "probekit%s%s", dash,
					 command ? command : "");

	fputs(".\\\" Generated from the option tables of probekit.\n.TH ", out);
	for (size_t i = 0; i < length; i++)
		fputc(title[i] >= 'a' && title[i] <= 'z' ? title[i] - 'a' + 'A' : title[i], out);
	fprintf(out, " 1 \"\" \"probekit %s\" \"User Commands\"\n.SH NAME\nprobekit%s%s \\- ",
		probekit_version(), *dash ? "\\-" : "", command ? command : "");
	print_roff(out, summary);
}

static void print_man_pairs(FILE *out, const char *title, const char *const (*pairs)[2], size_t n)
{
	if (title)
		fprintf(out, ".SH %s\n", title);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, ".TP\n.B %s\n", pairs[i][0]);
		print_roff(out, pairs[i][1]);
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void print_exit_status(FILE *out, const struct command *command)
{
	const size_t other = command->gives_verdict ? COUNT(verdict_exit_codes) : 0;

	fputs(".SH EXIT STATUS\n", out);
	print_man_pairs(out, NULL, verdict_exit_codes, other);
	print_man_pairs(out, NULL, exit_codes + other, COUNT(exit_codes) - other);
	if (command->gives_verdict)
		print_man_pairs(out, NULL, verdict_codes, COUNT(verdict_codes));
	if (command->takes_command)
		print_man_pairs(out, NULL, command_codes, COUNT(command_codes));
}

static void print_man_options(FILE *out, const struct command *command)
{
	fputs(".SH OPTIONS\n", out);
	for (const struct opt *opt = command->options; opt->name; opt++) {
		fputs(".TP\n", out);
		if (opt->letter)
			fprintf(out, "\\fB\\-%c\\fR, ", opt->letter);
		fputs("\\fB\\-\\-", out);
		for (const char *c = opt->name; *c; c++)
			fputs(*c == '-' ? "\\-" : (char[]){*c, '\0'}, out);
		fprintf(out, "\\fR%s%s%s\n", opt->argument ? " \\fI" : "",
			opt->argument ? opt->argument : "", opt->argument ? "\\fR" : "");
		print_roff(out, opt->help);
	}
	fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n", out);
	print_roff(out, "A summary of this page.");
}

void opts_print_man(FILE *out, const struct command *command)
{
	print_man_head(out, command->name, command->summary);
	fputs(".SH SYNOPSIS\n", out);
	for (size_t i = 0; command->synopsis[i]; i++) {
		fprintf(out, "%s.B probekit %s\n", i ? ".br\n" : "", command->name);
		print_roff(out, command->synopsis[i]);
	}
	fputs(".SH DESCRIPTION\n", out);
	for (size_t i = 0; command->description[i]; i++) {
		fputs(i ? ".PP\n" : "", out);
		print_roff(out, command->description[i]);
	}
	print_man_options(out, command);
	print_exit_status(out, command);
	print_man_pairs(out, "ENVIRONMENT", environment, COUNT(environment));
	fputs(".SH EXAMPLES\n", out);
	for (const struct example *e = command->examples; e->command; e++) {
		print_roff(out, e->text);
		fputs(".PP\n.in +4n\n.nf\n", out);
		print_roff(out, e->command);
		fprintf(out, ".fi\n.in\n%s", e[1].command ? ".PP\n" : "");
	}
	fputs(".SH SEE ALSO\n.BR probekit (1),\n.BR probekit (7)\n", out);
}

void opts_print_overview_man(FILE *out, const struct command *const *commands)
{
	print_man_head(out, NULL, "latency of spans in live processes");
	fputs(".SH SYNOPSIS\n.B probekit\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fITARGET\\fR]\n"
	      ".SH DESCRIPTION\n",
	      out);
	print_roff(out,
		   "Measures the latency of spans in live processes: those that an application "
		   "marks with <probekit/probe.h>, and any pair of USDT probes.");
	for (const struct command *const *c = commands; *c; c++) {
		fprintf(out, ".TP\n.BR probekit\\-%s (1)\n", (*c)->name);
		print_roff(out, (*c)->summary);
	}
	fputs(".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nThe commands.\n"
	      ".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nThe version.\n",
	      out);
	print_man_pairs(out, "EXIT STATUS", exit_codes, COUNT(exit_codes));
	print_man_pairs(out, "ENVIRONMENT", environment, COUNT(environment));
	fputs(".SH SEE ALSO\n", out);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(out, ".BR probekit\\-%s (1),\n", (*c)->name);
	fputs(".BR PROBEKIT_SPAN (3),\n.BR probekit_session (3),\n.BR probekit (7)\n", out);
}

static void print_completed_words(FILE *out, const struct command *command)
{
	for (const struct opt *opt = command->options; opt->name; opt++) {
		if (opt->letter)
			fprintf(out, "-%c ", opt->letter);
		fprintf(out, "--%s ", opt->name);
	}
	fputs("-h --help", out);
}

/* The case pattern of a command's options of which `is_file` tells file names from other texts. */
static void print_completed_arguments(FILE *out, const struct command *command, bool is_file,
				      const char *action)
{
	const char *separator = "\t\t";

	for (const struct opt *opt = command->options; opt->name; opt++) {
		if (opt->type == OPT_FLAG || (opt->type == OPT_FILE) != is_file)
			continue;
		fprintf(out, "%s%s:--%s", separator, command->name, opt->name);
		separator = " | ";
		if (opt->letter)
			fprintf(out, "%s%s:-%c", separator, command->name, opt->letter);
	}
	if (*separator != '\t')
		fprintf(out, ")\n\t\t\t%s\n\t\t\treturn ;;\n", action);
}

void opts_print_completion(FILE *out, const struct command *const *commands)
{
	fputs("# bash completion for probekit; generated from its option tables\n"
	      "_probekit()\n{\n"
	      "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal command=${COMP_WORDS[1]} words i\n\tCOMPREPLY=()\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\tCOMPREPLY=($(compgen -W '",
	      out);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(out, "%s ", (*c)->name);
	fputs("help --help --version' -- \"$word\"))\n\t\treturn\n\tfi\n"
	      "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	      "\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
	      "\t\t\tif ((i + 1 == COMP_CWORD)); then\n"
	      "\t\t\t\tCOMPREPLY=($(compgen -c -- \"$word\"))\n"
	      "\t\t\telse\n\t\t\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\t\t\tfi\n"
	      "\t\t\treturn\n\t\tfi\n\tdone\n"
	      "\tcase $command:$before in\n",
	      out);
	for (const struct command *const *c = commands; *c; c++) {
		print_completed_arguments(out, *c, true, "COMPREPLY=($(compgen -f -- \"$word\"))");
		print_completed_arguments(out, *c, false, ":");
	}
	fputs("\tesac\n\tcase $command in\n\t\thelp) words='", out);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
	fputs("' ;;\n", out);
	for (const struct command *const *c = commands; *c; c++) {
		fprintf(out, "\t\t%s) words='", (*c)->name);
		print_completed_words(out, *c);
		fputs("' ;;\n", out);
	}
	fputs("\t\t*) return ;;\n\tesac\n"
	      "\tif [[ $word == -* || $command == help ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	      "\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\tfi\n"
	      "}\ncomplete -o filenames -F _probekit probekit\n",
	      out);
}
