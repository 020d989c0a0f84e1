/* SPDX-License-Identifier: BSD-2-Clause */
/* A small TCP service whose log makes its slow requests slow. This file: options and life cycle. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "log.h"
#include "parse.h"
#include "server.h"

struct options {
	unsigned int port;
	unsigned int threads;
	const char *log_path;
	enum log_mode log_mode;
	unsigned int duration;
};

static const char usage[] =
	"usage: logger [options]\n"
	"Serves requests on 127.0.0.1 and logs each through one mutex.\n"
	"  --port PORT         listen here; 0, the default, takes a free port and prints it\n"
	"  --threads N         worker threads (16)\n"
	"  --log FILE          log to FILE (a temporary file, removed at exit)\n"
	"  --buffered          the fixed version: flush in the background, without the mutex\n"
	"  --duration SECONDS  stop after so long (0: at SIGINT or SIGTERM)\n"
	"  --help              print this text\n";

static unsigned int number(const char *option, unsigned int min, unsigned int max)
{
	return parse_number("logger", option, optarg, min, max);
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"port", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{"log", required_argument, NULL, 'l'},
		{"buffered", no_argument, NULL, 'b'},
		{"duration", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options options = {.threads = 16, .log_mode = LOG_SYNC};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'p')
			options.port = number("port", 0, 65535);
		else if (option == 't')
			options.threads = number("threads", 1, SERVER_MAX_THREADS);
		else if (option == 'l')
			options.log_path = optarg;
		else if (option == 'b')
			options.log_mode = LOG_BUFFERED;
		else if (option == 'd')
			options.duration = number("duration", 0, 1000000);
		else if (option == 'h')
			exit(fputs(usage, stdout) < 0);
		else
			exit(2);
	}
	if (optind < argc) {
		fprintf(stderr, "logger: unexpected argument '%s'; try --help\n", argv[optind]);
		exit(2);
	}
	return options;
}

/* Before any thread starts, so that all of them inherit the mask and only the main one sees it. */
static int stop_signals(void)
{
	sigset_t signals;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (fd < 0)
		fprintf(stderr, "logger: cannot wait for signals: %s\n", strerror(errno));
	return fd;
}

static int run(const struct options *options, struct log *log, int stop_fd)
{
	unsigned long requests;
	struct server *server = server_start(options->port, options->threads, log);
	int result;

	if (!server)
		return -1;
	printf("listening on 127.0.0.1:%u\n", server_port(server));
	fflush(stdout);
	result = server_run(server, stop_fd, options->duration);
	server_stop(server, &requests);
	printf("served %lu requests\n", requests);
	return result;
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	unsigned long flushes;
	int stop_fd = stop_signals();
	struct log *log;
	int result;

	if (stop_fd < 0)
		return 1;
	log = log_open(options.log_path, options.log_mode);
	if (!log)
		return 1;
	result = run(&options, log, stop_fd);
	if (log_close(log, &flushes))
		result = -1;
	if (!result)
		printf("flushed the log %lu times\n", flushes);
	return result ? 1 : 0;
}
