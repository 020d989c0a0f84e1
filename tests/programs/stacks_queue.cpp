/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits for ever at a queue that stays empty. It tells "ready TID" before. */
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <unistd.h>

struct queue {
	std::mutex mutex;
	std::condition_variable filled;

	__attribute__((noinline)) void take()
	{
		std::unique_lock<std::mutex> lock(mutex);

		filled.wait(lock);
	}
};

int main()
{
	queue empty;

	printf("ready %d\n", gettid());
	fflush(stdout);
	for (;;)
		empty.take();
}
