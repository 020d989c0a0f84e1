/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans in which a thread waits for time, or for another: one cause each. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "truth.h"

/* ---- time ---- */

static void sleeps(unsigned long count)
{
	rounds(count, nap);
}

static void await_timer(void)
{
	const struct itimerspec once = {.it_value.tv_nsec = HOLD_MS * 1000000};

	check(timerfd_settime(fds[0], 0, &once, NULL) == 0);
	read_eight();
}

static void timers(unsigned long count)
{
	fds[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	rounds(count, await_timer);
}

/* ---- locks ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool is_signalled;

static void take_mutex(void)
{
	pthread_mutex_lock(&mutex);
}

static void release_mutex(void)
{
	hold();
	pthread_mutex_unlock(&mutex);
}

static void lock_mutex(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static void mutexes(unsigned long count)
{
	rounds_with((struct peer){take_mutex, release_mutex, false}, count, lock_mutex);
}

static void take_rwlock(void)
{
	pthread_rwlock_wrlock(&rwlock);
}

static void release_rwlock(void)
{
	hold();
	pthread_rwlock_unlock(&rwlock);
}

static void read_lock(void)
{
	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
}

static void rwlocks(unsigned long count)
{
	rounds_with((struct peer){take_rwlock, release_rwlock, false}, count, read_lock);
}

static void signal_condition(void)
{
	hold();
	pthread_mutex_lock(&mutex);
	is_signalled = true;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
}

static void await_condition(void)
{
	pthread_mutex_lock(&mutex);
	while (!is_signalled)
		pthread_cond_wait(&condition, &mutex);
	is_signalled = false;
	pthread_mutex_unlock(&mutex);
}

static void conditions(unsigned long count)
{
	rounds_with((struct peer){NULL, signal_condition, false}, count, await_condition);
}

/* Two open files of one inode, as two processes would have. */
static void open_lock_file(void)
{
	char path[64];

	fds[0] = memfd_create("lock", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	fds[1] = open(path, O_RDWR | O_CLOEXEC);
	check(fds[0] >= 0 && fds[1] >= 0);
}

static void take_flock(void)
{
	check(flock(fds[1], LOCK_EX) == 0);
}

static void release_flock(void)
{
	hold();
	check(flock(fds[1], LOCK_UN) == 0);
}

static void lock_flock(void)
{
	check(flock(fds[0], LOCK_EX) == 0 && flock(fds[0], LOCK_UN) == 0);
}

static void flocks(unsigned long count)
{
	open_lock_file();
	rounds_with((struct peer){take_flock, release_flock, true}, count, lock_flock);
}

static void record_lock(short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	check(fcntl(fds[0], F_SETLKW, &lock) == 0);
}

static void take_record(void)
{
	record_lock(F_WRLCK);
}

static void release_record(void)
{
	hold();
	record_lock(F_UNLCK);
}

static void lock_record(void)
{
	record_lock(F_WRLCK);
	record_lock(F_UNLCK);
}

static void record_locks(unsigned long count)
{
	open_lock_file();
	rounds_with((struct peer){take_record, release_record, true}, count, lock_record);
}

/* ---- other processes ---- */

static void peer_writes(unsigned long count, void (*wait)(void))
{
	rounds_with((struct peer){NULL, write_eight, false}, count, wait);
}

static void pipes(unsigned long count)
{
	check(pipe2(fds, O_CLOEXEC) == 0);
	peer_writes(count, read_eight);
}

static void eventfds(unsigned long count)
{
	fds[0] = eventfd(0, EFD_CLOEXEC);
	fds[1] = fds[0];
	peer_writes(count, read_eight);
}

static void receive_eight(void)
{
	uint64_t word;

	check(recv(fds[0], &word, sizeof(word), 0) == sizeof(word));
}

static void unix_sockets(unsigned long count)
{
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	peer_writes(count, receive_eight);
}

static void tcp_sockets(unsigned long count)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size) ||
	    connect(fds[0], (struct sockaddr *)&address, size))
		missing("a loopback network");
	fds[1] = accept(listener, NULL, NULL);
	peer_writes(count, receive_eight);
}

static void start_child(void)
{
	if (fork() == 0) {
		sem_await(&shared->is_asked);
		hold();
		_exit(0);
	}
}

static void await_child(void)
{
	check(wait(NULL) > 0);
}

static void children(unsigned long count)
{
	run_rounds(count, start_child, scoped, await_child);
}

/* ---- several at once ---- */

static void poll_then_read(void)
{
	struct pollfd one = {.fd = fds[0], .events = POLLIN};

	check(poll(&one, 1, -1) == 1);
	read_eight();
}

static void polls(unsigned long count)
{
	check(pipe2(fds, O_CLOEXEC) == 0);
	peer_writes(count, poll_then_read);
}

static int epoll_fd;

static void epoll_then_read(void)
{
	struct epoll_event event;

	check(epoll_wait(epoll_fd, &event, 1, -1) == 1);
	read_eight();
}

static void epolls(unsigned long count)
{
	struct epoll_event event = {.events = EPOLLIN};

	check(pipe2(fds, O_CLOEXEC) == 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[0], &event) == 0);
	peer_writes(count, epoll_then_read);
}

static const struct mode modes[] = {
	{"sleep", sleeps},
	{"timer", timers},
	{"mutex", mutexes},
	{"rwlock", rwlocks},
	{"condition", conditions},
	{"flock", flocks},
	{"record_lock", record_locks},
	{"pipe", pipes},
	{"eventfd", eventfds},
	{"unix_socket", unix_sockets},
	{"child", children},
	{"tcp", tcp_sockets},
	{"poll", polls},
	{"epoll", epolls},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return truth_main(argc, argv, modes);
}
