/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that are slow because they wait for time, storage, or another process. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "machine.h"
#include "scene.h"

#define FILE_BYTES (64 << 20)
#define HOT_BYTES (1 << 20) /* at the start, and never evicted */
#define READ_BYTES (256 << 10)
#define COLD_BLOCKS ((FILE_BYTES - HOT_BYTES) / READ_BYTES)

/* ---- time ---- */

static NOINLINE void doze(void)
{
	pause_ms(SLOW_MS);
	touch();
}

static void sleeps(unsigned long count)
{
	play((struct scene){NULL, doze, work}, count);
}

/* ---- a file that is not in memory ---- */

static int file_fd;
static unsigned int next_block;

static void open_file(char path[static PATH_MAX])
{
	file_fd = create_stored(path);
	tell_text("file", path);
	fill_file(file_fd, FILE_BYTES, HOT_BYTES);
}

/* In an order that no readahead follows. */
static off_t cold_offset(void)
{
	next_block = (next_block + 101) % COLD_BLOCKS;
	return HOT_BYTES + (off_t)next_block * READ_BYTES;
}

static void evict(void)
{
	check(posix_fadvise(file_fd, HOT_BYTES, 0, POSIX_FADV_DONTNEED) == 0);
}

static void read_at(off_t offset)
{
	static char text[READ_BYTES];

	check(pread(file_fd, text, sizeof(text), offset) == sizeof(text));
}

static NOINLINE void read_cold(void)
{
	long long end = now_ns() + SLOW_MS * 1000000ll;

	for (int i = 0; i < COLD_BLOCKS && now_ns() < end; i++)
		read_at(cold_offset());
}

static void read_hot(void)
{
	read_at(0);
	work();
}

static void cold_reads(unsigned long count)
{
	char path[PATH_MAX];

	open_file(path);
	check(posix_fadvise(file_fd, 0, 0, POSIX_FADV_RANDOM) == 0);
	play((struct scene){evict, read_cold, read_hot}, count);
	unlink(path);
}

static const volatile char *mapping;

static void map_file(void)
{
	mapping = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, file_fd, 0);
	check(mapping != MAP_FAILED);
}

/* (Pages in page tables are not evicted.) */
static void evict_mapping(void)
{
	munmap((void *)(uintptr_t)mapping, FILE_BYTES);
	evict();
	map_file();
}

static NOINLINE void touch_mapping(void)
{
	long long end = now_ns() + SLOW_MS * 1000000ll;

	for (int i = 0; i < COLD_BLOCKS && now_ns() < end; i++)
		(void)mapping[cold_offset()];
}

static void touch_hot(void)
{
	(void)mapping[0];
	work();
}

static void major_faults(unsigned long count)
{
	char path[PATH_MAX];

	open_file(path);
	map_file();
	play((struct scene){evict_mapping, touch_mapping, touch_hot}, count);
	unlink(path);
}

/* ---- a peer that answers late ---- */

static int listener;
static int connection;

static void answer(void)
{
	int fd = accept(listener, NULL, NULL);
	char asked;

	while (recv(fd, &asked, 1, 0) == 1) {
		if (asked == 's')
			pause_ms(SLOW_MS);
		check(send(fd, &asked, 1, 0) == 1);
	}
}

static char question;

static NOINLINE void ask_peer(void)
{
	check(send(connection, &question, 1, 0) == 1);
	check(recv(connection, &question, 1, 0) == 1);
}

static void ask_slow(void)
{
	question = 's';
	ask_peer();
}

static void ask_fast(void)
{
	question = 'f';
	ask_peer();
	work();
}

static void slow_peer(unsigned long count)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	char text[32];
	pid_t pid;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size) ||
	    connect(connection, (struct sockaddr *)&address, size))
		missing("a loopback network");
	snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(address.sin_port));
	tell_text("peer", text);
	pid = start_process("slowpeer", answer);
	play((struct scene){NULL, ask_slow, ask_fast}, count);
	end_process(pid);
}

/* ---- a reader that is late ---- */

/* All that the pipe holds at once, and then nothing for a while. */
static void drain(void)
{
	static char text[1 << 20];

	while (read(fds[0], text, sizeof(text)) > 0)
		pause_ms(SLOW_MS);
}

static NOINLINE void fill_pipe(void)
{
	static const char text[4096] = "text";

	check(write(fds[1], text, sizeof(text)) == sizeof(text));
}

static void fill_and_work(void)
{
	fill_pipe();
	work();
}

static void slow_reader(unsigned long count)
{
	pid_t pid;

	check(pipe2(fds, O_CLOEXEC) == 0);
	pid = start_process("slowreader", drain);
	run_rounds(count, NULL, request, fill_and_work);
	end_process(pid);
}

static const struct mode modes[] = {
	{"sleep", sleeps},	  {"cold_reads", cold_reads},	{"major_faults", major_faults},
	{"slow_peer", slow_peer}, {"slow_reader", slow_reader}, {NULL, NULL},
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, modes);
}
