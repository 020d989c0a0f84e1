/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow spans that wait for a std::mutex, which another thread holds while it sleeps. */
#include <probekit/probe.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <semaphore.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

static std::mutex scene_mutex;
static sem_t wanted, taken;

__attribute__((noinline)) static void hold_it()
{
	std::lock_guard<std::mutex> guard(scene_mutex);

	sem_post(&taken);
	std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

__attribute__((noinline)) static void want_it()
{
	std::lock_guard<std::mutex> guard(scene_mutex);
}

static void request()
{
	PROBEKIT_SPAN(scene, request);

	want_it();
}

static void own()
{
	pthread_setname_np(pthread_self(), "owner");
	printf("owner %ld\n", syscall(SYS_gettid));
	for (;;) {
		sem_wait(&wanted);
		hold_it();
	}
}

int main(int, char **argv)
{
	sem_init(&wanted, 0, 0);
	sem_init(&taken, 0, 0);
	printf("address %p\n", static_cast<void *>(&scene_mutex));
	std::thread(own).detach();
	for (long i = atol(argv[2]); i > 0; i--) {
		sem_post(&wanted);
		sem_wait(&taken);
		request();
	}
	fflush(stdout);
	_exit(0);
}
