/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that are slow because another thread holds, or has not yet given, what they wait for. */
#include "machine.h"
#include "scene.h"

/* ---- a mutex held across fsync ---- */

static pthread_mutex_t scene_mutex = PTHREAD_MUTEX_INITIALIZER;
static int scene_fd;

static NOINLINE void flush_scene(struct actor *actor)
{
	static const char text[4096] = "text";
	long long end;

	pthread_mutex_lock(&scene_mutex);
	await_span(actor);
	end = now_ns() + SLOW_MS * 1000000ll;
	do {
		check(pwrite(scene_fd, text, sizeof(text), 0) == sizeof(text));
		check(fsync(scene_fd) == 0);
	} while (now_ns() < end);
	pthread_mutex_unlock(&scene_mutex);
	touch();
}

static struct actor flusher = {.act = flush_scene, .name = "flusher"};

static void prepare_flush(void)
{
	set_scene(&flusher);
}

static NOINLINE void append_scene(void)
{
	pthread_mutex_lock(&scene_mutex);
	touch();
	pthread_mutex_unlock(&scene_mutex);
	touch();
}

static void append_late(void)
{
	sem_post(&flusher.is_entered);
	append_scene();
}

static void append_early(void)
{
	append_scene();
	work();
}

static void mutex_across_fsync(unsigned long count)
{
	char path[PATH_MAX];

	scene_fd = create_stored(path);
	tell_text("file", path);
	start_actor(&flusher);
	play((struct scene){prepare_flush, append_late, append_early}, count);
	unlink(path);
}

/* ---- a writer that starves readers ---- */

static pthread_rwlock_t scene_rwlock = PTHREAD_RWLOCK_INITIALIZER;

static NOINLINE void write_scene(struct actor *actor)
{
	pthread_rwlock_wrlock(&scene_rwlock);
	await_span(actor);
	pause_ms(SLOW_MS);
	pthread_rwlock_unlock(&scene_rwlock);
	touch();
}

static struct actor writer = {.act = write_scene, .name = "writer"};

static void prepare_write(void)
{
	set_scene(&writer);
}

static NOINLINE void read_scene(void)
{
	pthread_rwlock_rdlock(&scene_rwlock);
	touch();
	pthread_rwlock_unlock(&scene_rwlock);
	touch();
}

static void read_late(void)
{
	sem_post(&writer.is_entered);
	read_scene();
}

static void read_early(void)
{
	read_scene();
	work();
}

static void writer_starves_readers(unsigned long count)
{
	start_actor(&writer);
	play((struct scene){prepare_write, read_late, read_early}, count);
}

/* ---- a queue behind a condition variable ---- */

static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t scene_condition = PTHREAD_COND_INITIALIZER;
static int queued;

static void enqueue(void)
{
	pthread_mutex_lock(&queue_mutex);
	queued++;
	pthread_mutex_unlock(&queue_mutex);
}

static NOINLINE void produce(struct actor *actor)
{
	await_span(actor);
	pause_ms(SLOW_MS);
	enqueue();
	pthread_cond_signal(&scene_condition);
	touch();
}

static struct actor producer = {.act = produce, .name = "producer"};

static void prepare_nothing(void)
{
	set_scene(&producer);
}

static NOINLINE void consume(void)
{
	pthread_mutex_lock(&queue_mutex);
	while (queued == 0)
		pthread_cond_wait(&scene_condition, &queue_mutex);
	queued--;
	pthread_mutex_unlock(&queue_mutex);
	touch();
}

static void consume_late(void)
{
	sem_post(&producer.is_entered);
	consume();
}

static void consume_early(void)
{
	enqueue();
	consume();
	work();
}

static void empty_queue(unsigned long count)
{
	start_actor(&producer);
	play((struct scene){prepare_nothing, consume_late, consume_early}, count);
}

/* ---- a chain of two locks ---- */

static pthread_mutex_t chain_first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t chain_second = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void hold_both(struct actor *actor)
{
	pthread_mutex_lock(&chain_second);
	await_span(actor);
	pause_ms(SLOW_MS);
	pthread_mutex_unlock(&chain_second);
	touch();
}

/* Holds the first lock while it waits for the second. */
static NOINLINE void hold_first(struct actor *actor)
{
	pthread_mutex_lock(&chain_first);
	sem_post(&actor->is_set);
	pthread_mutex_lock(&chain_second);
	touch();
	pthread_mutex_unlock(&chain_second);
	pthread_mutex_unlock(&chain_first);
	touch();
}

static struct actor sleeper = {.act = hold_both, .name = "sleeper"};
static struct actor middle = {.act = hold_first, .name = "middle"};

static void prepare_chain(void)
{
	set_scene(&sleeper);
	set_scene(&middle);
	while (state_of(middle.tid) != 'S')
		pause_ms(1);
}

static NOINLINE void enter_chain(void)
{
	pthread_mutex_lock(&chain_first);
	touch();
	pthread_mutex_unlock(&chain_first);
	touch();
}

static void enter_late(void)
{
	sem_post(&sleeper.is_entered);
	enter_chain();
}

static void enter_early(void)
{
	enter_chain();
	work();
}

static void chain(unsigned long count)
{
	start_actor(&sleeper);
	start_actor(&middle);
	play((struct scene){prepare_chain, enter_late, enter_early}, count);
}

/* ---- a deadlock ---- */

static pthread_mutex_t scene_left = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t scene_right = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold;

static void take_both(pthread_mutex_t *one, pthread_mutex_t *other)
{
	pthread_mutex_lock(one);
	pthread_barrier_wait(&both_hold);
	pthread_mutex_lock(other);
	touch();
	pthread_mutex_unlock(other);
	pthread_mutex_unlock(one);
}

static NOINLINE void left_to_right(struct actor *actor)
{
	PROBEKIT_SPAN(scene, transfer);

	(void)actor;
	take_both(&scene_left, &scene_right);
	touch();
}

static NOINLINE void right_to_left(struct actor *actor)
{
	PROBEKIT_SPAN(scene, transfer);

	(void)actor;
	take_both(&scene_right, &scene_left);
	touch();
}

static struct actor left = {.act = left_to_right, .name = "left"};
static struct actor right = {.act = right_to_left, .name = "right"};

/* Never ends by itself. */
static void deadlock(unsigned long count)
{
	check(pthread_barrier_init(&both_hold, NULL, 2) == 0);
	start_actor(&left);
	start_actor(&right);
	play((struct scene){NULL, work, work}, count);
	sem_post(&left.is_wanted);
	sem_post(&right.is_wanted);
	for (;;)
		pause();
}

static const struct mode modes[] = {
	{"mutex_fsync", mutex_across_fsync},
	{"rwlock", writer_starves_readers},
	{"queue", empty_queue},
	{"chain", chain},
	{"deadlock", deadlock},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, modes);
}
