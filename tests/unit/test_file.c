/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "child.h"
#include "scratch.h"


static int count_one(int dirfd, const char *name, void *arg)
{
	(void)dirfd;
	(void)name;
	(*(unsigned *)arg)++;
	return 0;
}

static unsigned entries(int fd)
{
	struct vm_err err;
	unsigned n = 0;

	assert_int_equal(vm_dir_each(fd, count_one, &n, &err), 0);
	return n;
}

static void holds(int fd, const char *name, const char *want)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err err;
	size_t len;

	assert_int_equal(vm_file_read(fd, name, 1 << 20, &text, &len, NULL, &err), 0);
	assert_string_equal(text, want);
	assert_int_equal(len, strlen(want));
}

static void written_whole(void **state)
{
	struct vm_err err;
	struct stat st;
	unsigned before = vm_fsync_count;
	mode_t old;

	(void)state;
	old = umask(077);
	assert_int_equal(vm_file_write(scratch_dir, "a", "one", 3, 0644, &err), 0);
	umask(old);
	holds(scratch_dir, "a", "one");
	assert_int_equal(fstatat(scratch_dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask */
	assert_int_equal(vm_fsync_count - before, 2); /* file and directory */
	assert_int_equal(vm_file_write_volatile(scratch_dir, "a", "", 0, 0600, &err), 0);
	holds(scratch_dir, "a", "");
	assert_int_equal(vm_fsync_count - before, 2);
	assert_int_equal(entries(scratch_dir), 1);
	assert_int_equal(vm_file_write(scratch_dir, "no/such", "x", 1, 0600, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "write no/such: No such file or directory");
	assert_int_equal(vm_file_remove(scratch_dir, "a", &err), 0);
	assert_int_equal(vm_file_remove(scratch_dir, "a", &err), 0);
	assert_int_equal(vm_file_remove(scratch_dir, "no/such", &err), 0);
	assert_int_equal(entries(scratch_dir), 0);
}

static void links_are_not_followed(void **state)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err err;
	int fd = -1;

	(void)state;
	assert_int_equal(vm_file_write(scratch_dir, "real", "x", 1, 0600, &err), 0);
	assert_int_equal(mkdirat(scratch_dir, "d", 0700), 0);
	assert_int_equal(symlinkat("real", scratch_dir, "link"), 0);
	assert_int_equal(symlinkat("d", scratch_dir, "dlink"), 0);
	assert_int_equal(vm_file_read(scratch_dir, "link", 10, &text, NULL, NULL, &err), -1);
	assert_int_equal(err.sys, ELOOP);
	assert_int_equal(vm_dir_open(scratch_dir, "dlink", &fd, &err), -1);
	assert_int_equal(vm_dir_make(scratch_dir, "dlink/e", 0700, &fd, &err), -1);
	assert_int_equal(vm_file_write(scratch_dir, "dlink/e", "x", 1, 0600, &err), -1);
	assert_int_equal(vm_dir_open(scratch_dir, "..", &fd, &err), -1);
	assert_int_equal(vm_dir_open(scratch_dir, "d/../..", &fd, &err), -1);
	assert_int_equal(vm_dir_make(scratch_dir, "x/../../y", 0700, &fd, &err), -1);
	assert_int_equal(vm_file_read(scratch_dir, "/etc/passwd", 1 << 20, &text, NULL, NULL, &err), -1);
	/* a link is replaced, not written through */
	assert_int_equal(vm_file_write(scratch_dir, "link", "y", 1, 0600, &err), 0);
	holds(scratch_dir, "real", "x");
	holds(scratch_dir, "link", "y");
}

static void directories(void **state)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/p/q/r", scratch_root);
	struct vm_err err;
	struct stat st;
	mode_t old = umask(077);
	int fd = -1;

	(void)state;
	assert_int_equal(vm_dir_make(AT_FDCWD, path, 0750, &fd, &err), 0);
	umask(old);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(vm_dir_make(AT_FDCWD, path, 0700, &fd, &err), 0);
	close(fd);
	assert_int_equal(vm_dir_open(scratch_dir, "p/q", &fd, &err), 0);
	assert_int_equal(entries(fd), 1);
	assert_int_equal(entries(fd), 1); /* each walk starts anew */
	close(fd);
	assert_int_equal(vm_file_write(scratch_dir, "f", "x", 1, 0600, &err), 0);
	assert_int_equal(vm_dir_make(scratch_dir, "f/g", 0700, &fd, &err), -1);
	assert_string_equal(err.msg, "open directory f/g: Not a directory");
	assert_int_equal(vm_dir_open(scratch_dir, "none", &fd, &err), -1);
	assert_string_equal(err.msg, "open directory none: No such file or directory");
}

static void capped_reads(void **state)
{
	VM_AUTO_FREE char *text = NULL;
	char big[9000];
	struct vm_err err;
	struct stat st;
	size_t len;
	int fds[2];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(vm_file_write(scratch_dir, "big", big, sizeof(big), 0600, &err), 0);
	assert_int_equal(vm_file_read(scratch_dir, "big", sizeof(big), &text, &len, &st, &err), 0);
	assert_int_equal(len, sizeof(big));
	assert_int_equal(st.st_size, sizeof(big));
	assert_int_equal(text[len], 0);
	free(vm_take_ptr(&text));
	assert_int_equal(vm_file_read(scratch_dir, "big", sizeof(big) - 1, &text, &len, NULL, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_string_equal(err.msg, "read big: larger than 8999 bytes");
	assert_null(text);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], big, 5000), 5000);
	close(fds[1]);
	assert_int_equal(vm_fd_read(fds[0], "stdin", 5000, &text, &len, &err), 0);
	assert_int_equal(len, 5000);
	close(fds[0]);
	assert_int_equal(mkfifoat(scratch_dir, "fifo", 0600), 0);
	free(vm_take_ptr(&text));
	assert_int_equal(vm_file_read(scratch_dir, "fifo", 10, &text, NULL, NULL, &err), -1); /* does not hang */
	assert_string_equal(err.msg, "read fifo: not a regular file");
	assert_int_equal(vm_file_read(AT_FDCWD, scratch_root, 10, &text, NULL, NULL, &err), -1);
	assert_int_equal(err.sys, EISDIR);
}

/* A write that fails at any point leaves the old file and no other. */
static void full_disk(void **state)
{
	char big[200 << 10];
	struct vm_err err;
	int fd, status;
	pid_t pid;

	(void)state;
	memset(big, 'y', sizeof(big));
	assert_int_equal(vm_file_write(scratch_dir, "a", "old", 3, 0600, &err), 0);
	pid = child_fork();
	if (pid == 0) {
		struct rlimit limit = { 4096, 4096 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(vm_file_write(scratch_dir, "a", big, sizeof(big), 0600, &err) == -1 && err.sys == EFBIG
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	holds(scratch_dir, "a", "old");
	assert_int_equal(entries(scratch_dir), 1);

	pid = child_fork();
	if (pid == 0) {
		int i, size;

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", scratch_root, "tmpfs", 0, "size=64k,nr_inodes=10") < 0)
			_exit(77);
		fd = open(scratch_root, O_RDONLY | O_DIRECTORY);
		if (vm_file_write(fd, "a", "old", 3, 0600, &err) < 0)
			_exit(1);
		/* no room for the data, for any size above it */
		for (size = 64 << 10; size <= 200 << 10; size += 8 << 10)
			if (vm_file_write(fd, "a", big, (size_t)size, 0600, &err) == 0 ||
			    err.sys != ENOSPC || entries(fd) != 1)
				_exit(2);
		/* no inode for the temporary */
		for (i = 0; i < 10; i++) {
			char name[8];

			snprintf(name, sizeof(name), "f%d", i);
			close(openat(fd, name, O_WRONLY | O_CREAT, 0600));
		}
		if (vm_file_write(fd, "a", "new", 3, 0600, &err) == 0 || err.sys != ENOSPC)
			_exit(3);
		holds(fd, "a", "old");
		/* removing needs no room */
		if (vm_file_remove(fd, "a", &err) < 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* Only what a dead writer left is swept, and only under our name. */
static void sweep(void **state)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct vm_err err;
	int fd;

	(void)state;
	assert_int_equal(vm_file_write(scratch_dir, ".tmp-dead00", "x", 1, 0600, &err), 0);
	assert_int_equal(vm_file_write(scratch_dir, ".tmp-live00", "x", 1, 0600, &err), 0);
	assert_int_equal(vm_file_write(scratch_dir, ".tmp", "x", 1, 0600, &err), 0);
	assert_int_equal(vm_file_write(scratch_dir, "a", "x", 1, 0600, &err), 0);
	assert_int_equal(symlinkat("a", scratch_dir, ".tmp-link00"), 0);
	assert_int_equal(mkdirat(scratch_dir, ".tmp-dir000", 0700), 0);
	fd = openat(scratch_dir, ".tmp-live00", O_RDWR);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &fl), 0);
	assert_int_equal(vm_file_sweep(scratch_dir), 1);
	assert_int_equal(faccessat(scratch_dir, ".tmp-dead00", F_OK, 0), -1);
	assert_int_equal(entries(scratch_dir), 5);
	close(fd);
	assert_int_equal(vm_file_sweep(scratch_dir), 1);
	assert_int_equal(vm_file_sweep(scratch_dir), 0);
}

/* Writers and sweepers against each other: every write must arrive. */
static void sweep_while_writing(void **state)
{
	struct vm_err err;
	pid_t pid;
	int i, status;

	(void)state;
	pid = child_fork();
	if (pid == 0)
		for (;;)
			vm_file_sweep(scratch_dir);
	for (i = 0; i < 800; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(vm_file_write_volatile(scratch_dir, "a", text, strlen(text), 0600, &err), 0);
		holds(scratch_dir, "a", text);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(entries(scratch_dir), 1);
}

/* Killed anywhere in the middle: whole old or whole new, and a sweep leaves nothing else. */
static void killed_writers(void **state)
{
	struct vm_err err;
	int i, status;

	(void)state;
	assert_int_equal(vm_file_write(scratch_dir, "a", "old", 3, 0600, &err), 0);
	for (i = 0; i < 60; i++) {
		VM_AUTO_FREE char *text = NULL;
		pid_t pid = child_fork();

		if (pid == 0)
			for (;;)
				vm_file_write_volatile(scratch_dir, "a", i % 2 ? "old" : "new", 3, 0600, &err);
		usleep((useconds_t)(300 + i * 37));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(vm_file_read(scratch_dir, "a", 10, &text, NULL, NULL, &err), 0);
		assert_true(strcmp(text, "old") == 0 || strcmp(text, "new") == 0);
		vm_file_sweep(scratch_dir);
		assert_int_equal(entries(scratch_dir), 1);
	}
}

static void trees(void **state)
{
	struct vm_err err;
	int fd = -1, i;

	(void)state;
	assert_int_equal(vm_dir_make(scratch_dir, "t/u/v", 0700, &fd, &err), 0);
	for (i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(vm_file_write_volatile(fd, name, "x", 1, 0600, &err), 0);
	}
	assert_int_equal(symlinkat("/etc", fd, "etc"), 0);
	assert_int_equal(symlinkat(scratch_root, scratch_dir, "t/self"), 0);
	close(fd);
	assert_int_equal(vm_file_write(scratch_dir, "keep", "x", 1, 0600, &err), 0);
	assert_int_equal(vm_tree_remove(scratch_dir, "t", &err), 0);
	assert_int_equal(vm_tree_remove(scratch_dir, "t", &err), 0);
	assert_int_equal(entries(scratch_dir), 1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(vm_tree_remove(scratch_dir, "..", &err), -1);
	assert_int_equal(vm_tree_remove(scratch_dir, "a/b", &err), -1);
	assert_int_equal(vm_tree_remove(scratch_dir, "", &err), -1);
}

static void mounted_tree(void **state)
{
	int status;
	pid_t pid = child_fork();

	(void)state;
	if (pid == 0) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/t/m", scratch_root);
		struct vm_err err = VM_ERR_INIT;
		int fd = -1;

		if (vm_dir_make(scratch_dir, "t/m", 0700, &fd, &err) < 0)
			_exit(1);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", path, "tmpfs", 0, "size=64k") < 0)
			_exit(77);
		close(fd);
		scratch_dir = open(scratch_root, O_RDONLY | O_DIRECTORY); /* in this namespace */
		vm_dir_open(scratch_dir, "t/m", &fd, &err);
		vm_file_write(fd, "precious", "x", 1, 0600, &err);
		if (vm_tree_remove(scratch_dir, "t", &err) == 0 || err.kind != VM_IN_USE)
			_exit(2);
		holds(fd, "precious", "x");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void kernel_files(void **state)
{
	struct vm_err err;

	(void)state;
	assert_int_equal(vm_file_write(scratch_dir, "k", "", 0, 0600, &err), 0);
	assert_int_equal(vm_kfile_write(scratch_dir, "k", "1", &err), 0);
	holds(scratch_dir, "k", "1");
	assert_int_equal(vm_kfile_write(AT_FDCWD, "/dev/full", "1", &err), -1);
	assert_string_equal(err.msg, "write \"1\" to /dev/full: No space left on device");
	assert_int_equal(vm_kfile_write(scratch_dir, "none", "1", &err), -1);
	assert_string_equal(err.msg, "open none: No such file or directory");
	}

static void blocked_paths(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	chmod(scratch_root, 0755);
	mkdirat(scratch_dir, "open", 0755);
	mkdirat(scratch_dir, "open/shut", 0600);
	mkdirat(scratch_dir, "open/shut/in", 0755);
	pid = child_fork();
	if (pid == 0) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/open/shut/in/x", scratch_root);
		VM_AUTO_FREE char *want = vm_xasprintf("%s/open/shut", scratch_root);
		VM_AUTO_FREE char *free_path = vm_xasprintf("%s/open/x", scratch_root);
		char *got;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		got = vm_path_blocked(path);
		if (!got || strcmp(got, want) != 0)
			_exit(2);
		free(got);
		_exit(vm_path_blocked(free_path) || vm_path_blocked("/") || vm_path_blocked("") ? 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(written_whole), TEST(links_are_not_followed), TEST(directories),
		TEST(capped_reads),  TEST(full_disk),		   TEST(sweep),
		TEST(sweep_while_writing), TEST(killed_writers),   TEST(trees),
		TEST(mounted_tree),  TEST(kernel_files),	   TEST(blocked_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
