/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots in files: replaced as a whole, and nothing left behind when that fails. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "snapshot.h"

static char folder[] = "/tmp/probekit-test-XXXXXX";
static struct probekit_snapshot *example;

static int in_new_folder(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	example = snapshot_new(1);
	if (!example || !mkdtemp(folder) || chdir(folder))
		return -1;
	example->info.duration_ns = 7;
	example->info.target = strdup("./logger");
	example->probes[0].name = strdup("logger:flush");
	return 0;
}

static int remove_folder(void **state)
{
	DIR *dir = opendir(".");
	struct dirent *entry;

	(void)state;
	probekit_snapshot_free(example);
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name,
				 entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	if (dir)
		closedir(dir);
	return chdir("/") || rmdir(folder);
}

static int entries(void)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

static void write_ok(const char *path)
{
	struct probekit_error err = {0};

	if (probekit_snapshot_write(example, path, &err))
		fail_msg("%s", err.text);
}

static void write_fails(const char *path, int code)
{
	struct probekit_error err = {0};
	int before = entries();

	assert_int_equal(probekit_snapshot_write(example, path, &err), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, "cannot write '"));
	assert_int_equal(entries(), before);
}

static void reads_back(const char *path)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err = {0};

	if (probekit_snapshot_read(path, &snapshot, &err))
		fail_msg("%s", err.text);
	assert_int_equal(probekit_snapshot_info(snapshot)->duration_ns, 7);
	assert_string_equal(probekit_snapshot_probe(snapshot, 0)->name, "logger:flush");
	probekit_snapshot_free(snapshot);
}

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void what_was_written_reads_back(void **state)
{
	char path[PATH_MAX];

	(void)state;
	write_ok("a.json");
	reads_back("a.json");
	snprintf(path, sizeof(path), "%s/b.json", folder);
	write_ok(path);
	reads_back(path);
	assert_int_equal(entries(), 2);
}

static void a_new_file_has_the_mode_that_umask_leaves(void **state)
{
	mode_t before = umask(027);
	struct stat st;

	(void)state;
	write_ok("a.json");
	umask(before);
	assert_int_equal(stat("a.json", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_file_is_replaced_not_rewritten(void **state)
{
	char old[16] = {0};
	struct stat before;
	struct stat after;
	int fd;

	(void)state;
	put_file("a.json", "old content");
	fd = open("a.json", O_RDONLY);
	assert_int_equal(fstat(fd, &before), 0);
	write_ok("a.json");
	reads_back("a.json");
	assert_int_equal(stat("a.json", &after), 0);
	assert_true(before.st_ino != after.st_ino);
	/* who had it open still reads the old one whole */
	assert_int_equal(read(fd, old, sizeof(old)), 11);
	assert_string_equal(old, "old content");
	close(fd);
	assert_int_equal(entries(), 1);
}

static void a_link_is_kept_and_its_file_replaced(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkdir("runs", 0755), 0);
	put_file("runs/1.json", "old");
	assert_int_equal(symlink("1.json", "runs/current"), 0);
	assert_int_equal(symlink("runs/current", "latest"), 0);
	write_ok("latest");
	assert_int_equal(lstat("latest", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(lstat("runs/1.json", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	reads_back("runs/1.json");
	unlink("runs/1.json");
	/* a dangling one too */
	write_ok("latest");
	reads_back("runs/1.json");
	unlink("runs/1.json");
	unlink("runs/current");
}

static void a_loop_of_links_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(symlink("b", "a"), 0);
	assert_int_equal(symlink("a", "b"), 0);
	write_fails("a", -ELOOP);
}

static void a_device_is_written_to(void **state)
{
	struct stat st;

	(void)state;
	write_ok("/dev/null");
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	write_fails("/dev/full", -ENOSPC);
}

static void a_fifo_is_written_to(void **state)
{
	char text[8192];
	int fd;
	ssize_t got;
	struct stat st;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	write_ok("fifo");
	got = read(fd, text, sizeof(text));
	assert_true(got > 100);
	assert_memory_equal(text + got - 2, "}\n", 2);
	close(fd);
	assert_int_equal(stat("fifo", &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(entries(), 1);
}

/* Writes to /proc/self/fd/N, as /dev/stdout leads to, and leaves what was in front of it alone. */
static void a_descriptor_is_written_to_where_it_stands(void **state)
{
	char path[64];
	char text[8192] = {0};
	struct stat before;
	struct stat after;
	int fd = open("out", O_RDWR | O_CREAT, 0644);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "first\n", 6), 6);
	assert_int_equal(fstat(fd, &before), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	write_ok(path);
	assert_int_equal(symlink(path, "stdout"), 0);
	write_ok("stdout");
	assert_int_equal(write(fd, "last\n", 5), 5);
	assert_int_equal(stat("out", &after), 0);
	assert_true(before.st_ino == after.st_ino);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_memory_equal(text, "first\n{", 7);
	assert_string_equal(text + strlen(text) - 7, "}\nlast\n");
	assert_non_null(strstr(text, "}\n{"));
	close(fd);
	assert_int_equal(entries(), 2);
}

static void a_descriptor_that_is_a_socket_is_written_to(void **state)
{
	char path[64];
	char text[8192];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	write_ok(path);
	assert_true(read(fds[1], text, sizeof(text)) > 100);
	close(fds[0]);
	close(fds[1]);
}

/* As /tmp is. */
static void make_shared_folder(const char *name)
{
	assert_int_equal(mkdir(name, 0755), 0);
	assert_int_equal(chmod(name, 01777), 0);
}

static void assert_untouched(const char *path)
{
	char text[16] = {0};
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 6);
	assert_string_equal(text, "secret");
	close(fd);
}

static void a_link_in_a_shared_folder_is_not_followed(void **state)
{
	(void)state;
	make_shared_folder("shared");
	assert_int_equal(mkdir("own", 0755), 0);
	put_file("own/victim", "secret");
	assert_int_equal(symlink("../own/victim", "shared/out"), 0);
	assert_int_equal(symlink("../own/none", "shared/dangling"), 0);
	assert_int_equal(symlink("../own", "shared/folder"), 0);
	assert_int_equal(symlink("shared/out", "link"), 0);
	write_fails("shared/out", -EPERM);
	write_fails("link", -EPERM);
	write_fails("shared/dangling", -EPERM);
	write_fails("shared/folder/victim", -EPERM);
	write_fails("shared/../shared/folder/new", -EPERM);
	assert_int_equal(access("own/none", F_OK), -1);
	assert_int_equal(access("own/new", F_OK), -1);
	assert_untouched("own/victim");
	for (int i = 0; i < 3; i++)
		unlink((const char *[]){"shared/out", "shared/dangling", "shared/folder"}[i]);
	unlink("own/victim");
}

static void a_file_of_another_in_a_shared_folder_is_replaced_not_written(void **state)
{
	struct stat before;
	struct stat after;
	int fd;

	(void)state;
	make_shared_folder("shared");
	put_file("shared/out", "secret");
	if (geteuid() == 0)
		assert_int_equal(chown("shared/out", 65534, 65534), 0);
	fd = open("shared/out", O_RDONLY);
	assert_int_equal(fstat(fd, &before), 0);
	write_ok("shared/out");
	reads_back("shared/out");
	assert_int_equal(stat("shared/out", &after), 0);
	assert_int_equal(after.st_uid, geteuid());
	assert_true(after.st_ino != before.st_ino);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_size, 6);
	close(fd);
	unlink("shared/out");
}

static void a_fifo_of_another_in_a_shared_folder_is_not_written_to(void **state)
{
	char byte;
	int fd;

	(void)state;
	make_shared_folder("shared");
	assert_int_equal(mkfifo("shared/out", 0666), 0);
	fd = open("shared/out", O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	if (geteuid() == 0) {
		assert_int_equal(chown("shared/out", 65534, 65534), 0);
		write_fails("shared/out", -EPERM);
		assert_int_equal(read(fd, &byte, 1), 0);
		assert_int_equal(chown("shared/out", 0, 0), 0);
	}
	write_ok("shared/out"); /* our own */
	assert_int_equal(read(fd, &byte, 1), 1);
	close(fd);
	unlink("shared/out");
}

static void what_cannot_be_written_leaves_nothing(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char name[NAME_MAX + 2];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(mkdir("dir", 0755), 0);
	put_file("file", "");
	memset(name, 'x', NAME_MAX + 1);
	name[NAME_MAX + 1] = '\0';
	write_fails("socket", -ENXIO);
	write_fails("dir", -EISDIR);
	write_fails("dir/", -EISDIR);
	write_fails("", -ENOENT);
	write_fails("missing/a.json", -ENOENT);
	write_fails("file/a.json", -ENOTDIR);
	write_fails(name, -ENAMETOOLONG);
	write_fails("/proc/probekit.json", -ENOENT);
	close(fd);
}

static void a_full_name_can_be_written(void **state)
{
	char name[NAME_MAX + 1];

	(void)state;
	memset(name, 'x', NAME_MAX);
	name[NAME_MAX] = '\0';
	write_ok(name);
	reads_back(name);
}

static void reading_a_missing_file_names_it(void **state)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;

	(void)state;
	assert_int_equal(probekit_snapshot_read("missing\n.json", &snapshot, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'missing\\n.json': No such file"));
	assert_int_equal(err.kind, PROBEKIT_ERROR_FAILED);
	assert_int_equal(probekit_snapshot_read(".", &snapshot, &err), -EISDIR);
}

static void standard_input_is_read(void **state)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	int saved = dup(STDIN_FILENO);
	int fd;

	(void)state;
	write_ok("a.json");
	fd = open("a.json", O_RDONLY);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	reads_back("-");
	/* at its end now */
	assert_int_equal(probekit_snapshot_read("-", &snapshot, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "'standard input': it is empty"));
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, in_new_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(what_was_written_reads_back),
		IN_FOLDER(a_new_file_has_the_mode_that_umask_leaves),
		IN_FOLDER(a_file_is_replaced_not_rewritten),
		IN_FOLDER(a_link_is_kept_and_its_file_replaced),
		IN_FOLDER(a_loop_of_links_is_an_error),
		IN_FOLDER(a_device_is_written_to),
		IN_FOLDER(a_fifo_is_written_to),
		IN_FOLDER(a_descriptor_is_written_to_where_it_stands),
		IN_FOLDER(a_descriptor_that_is_a_socket_is_written_to),
		IN_FOLDER(a_link_in_a_shared_folder_is_not_followed),
		IN_FOLDER(a_file_of_another_in_a_shared_folder_is_replaced_not_written),
		IN_FOLDER(a_fifo_of_another_in_a_shared_folder_is_not_written_to),
		IN_FOLDER(what_cannot_be_written_leaves_nothing),
		IN_FOLDER(a_full_name_can_be_written),
		IN_FOLDER(reading_a_missing_file_names_it),
		IN_FOLDER(standard_input_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
