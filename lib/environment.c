/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading what the kernel tells of the machine. What it does not tell is not known, and no error. */
#include "environment.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroup.h"
#include "git_revision.h"

#define CPUINFO_BYTES 16384 /* more than one CPU's part */

void environment_init(struct probekit_environment *environment)
{
	*environment = (struct probekit_environment){
		.is_virtual = -1,
		.aslr = -1,
		.cpu_quota = NAN,
		.load = NAN,
		.steal = NAN,
	};
}

static void release(const char *text)
{
	free((void *)(uintptr_t)text);
}

void environment_done(struct probekit_environment *environment)
{
	release(environment->kernel);
	release(environment->cpu_model);
	release(environment->governor);
	release(environment->revision);
	environment_init(environment);
}

int environment_copy(const struct probekit_environment *from, struct probekit_environment *into)
{
	*into = *from;
	into->kernel = from->kernel ? strdup(from->kernel) : NULL;
	into->cpu_model = from->cpu_model ? strdup(from->cpu_model) : NULL;
	into->governor = from->governor ? strdup(from->governor) : NULL;
	into->revision = from->revision ? strdup(from->revision) : NULL;
	return !from->kernel == !into->kernel && !from->cpu_model == !into->cpu_model &&
			       !from->governor == !into->governor &&
			       !from->revision == !into->revision
		       ? 0
		       : -ENOMEM;
}

/* ---- the kernel's texts ---- */

/* "cpu user nice system idle iowait irq softirq steal guest ...": a guest's time is user time too. */
void environment_parse_ticks(const char *text, struct cpu_ticks *ticks)
{
	uint64_t part[8];

	*ticks = (struct cpu_ticks){0};
	if (sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64,
		   &part[0], &part[1], &part[2], &part[3], &part[4], &part[5], &part[6],
		   &part[7]) != 8)
		return;
	ticks->steal = part[7];
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		ticks->all += part[i];
}

const char *environment_find_cpu(const char *text, const char *name, size_t *length)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *end = line + strcspn(line, "\n");
		const char *colon = memchr(line, ':', (size_t)(end - line));
		const char *last = colon;

		while (last && last > line && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if (!colon || (size_t)(last - line) != strlen(name) ||
		    memcmp(line, name, strlen(name)) != 0)
			continue;
		colon++;
		colon += strspn(colon, " \t");
		*length = (size_t)(end - colon);
		return colon;
	}
	return NULL;
}

static bool has_flag(const char *flags, size_t length, const char *flag)
{
	const char *end = flags + length;

	while (flags < end) {
		size_t word = strcspn(flags, " \n");

		if (word == strlen(flag) && memcmp(flags, flag, word) == 0)
			return true;
		flags += word + 1;
	}
	return false;
}

int environment_is_virtual(const char *cpuinfo, const char *vendor, const char *product)
{
	static const char *const makers[] = {
		"QEMU", "Amazon EC2", "Google", "VMware", "innotek", "Xen", "Parallels", "Alibaba",
	};
	size_t length;
	const char *flags = environment_find_cpu(cpuinfo, "flags", &length);

	if (flags)
		return has_flag(flags, length, "hypervisor");
	if (!*vendor && !*product)
		return -1;
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (strncmp(vendor, makers[i], strlen(makers[i])) == 0)
			return 1;
	return strstr(product, "Virtual Machine") || strstr(product, "KVM");
}

double environment_steal(const struct cpu_ticks *from, const struct cpu_ticks *to)
{
	if (!from->all || to->all <= from->all)
		return NAN;
	return to->steal > from->steal
		       ? (double)(to->steal - from->steal) / (double)(to->all - from->all)
		       : 0;
}

/* ---- reading ---- */

/* The file's beginning; "" where it cannot be read. */
static void read_start(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t got = file ? fread(text, 1, size - 1, file) : 0;

	if (file)
		fclose(file);
	text[got] = '\0';
}

static void read_word(const char *path, char *text, size_t size)
{
	read_start(path, text, size);
	text[strcspn(text, "\n")] = '\0';
}

void environment_ticks(struct cpu_ticks *ticks)
{
	char text[512];

	read_start("/proc/stat", text, sizeof(text));
	environment_parse_ticks(text, ticks);
}

static int read_cpu(struct probekit_environment *environment)
{
	char *text = malloc(CPUINFO_BYTES);
	char governor[64];
	char product[256];
	char vendor[256];
	const char *model;
	size_t length;

	if (!text)
		return -ENOMEM;
	read_start("/proc/cpuinfo", text, CPUINFO_BYTES);
	read_word("/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	read_word("/sys/class/dmi/id/product_name", product, sizeof(product));
	read_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
		  sizeof(governor));
	environment->is_virtual = environment_is_virtual(text, vendor, product);
	model = environment_find_cpu(text, "model name", &length);
	environment->cpu_model = model ? strndup(model, length) : NULL;
	environment->governor = *governor ? strdup(governor) : NULL;
	free(text);
	return !environment->cpu_model == !model && !environment->governor == !*governor ? 0
											 : -ENOMEM;
}

/* A command inherits our personality: `setarch -R` turns randomisation off for it alone. */
static int read_aslr(void)
{
	int flags = personality(0xffffffff);
	char text[16];

	if (flags >= 0 && flags & ADDR_NO_RANDOMIZE)
		return 0;
	read_word("/proc/sys/kernel/randomize_va_space", text, sizeof(text));
	return text[0] >= '0' && text[0] <= '2' && !text[1] ? text[0] - '0' : -1;
}

static double read_quota(pid_t pid)
{
	struct cpu_quota quota;

	if (!pid || cgroup_cpu_quota(pid, &quota))
		return NAN;
	return quota.is_set ? quota.cpus : INFINITY;
}

int environment_read(pid_t pid, struct probekit_environment *environment)
{
	struct probekit_environment made;
	struct utsname name;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double load;

	environment_init(&made);
	if (uname(&name) == 0)
		made.kernel = strdup(name.release);
	made.cpus = cpus > 0 ? (uint32_t)cpus : 0;
	made.cpu_quota = read_quota(pid);
	if (getloadavg(&load, 1) == 1)
		made.load = load;
	made.aslr = read_aslr();
	made.revision = git_revision(".");
	if (read_cpu(&made)) {
		environment_done(&made);
		return -ENOMEM;
	}
	*environment = made;
	return 0;
}
