/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>

#include "child.h"
#include "place.h"

struct vm_state place = VM_STATE_INIT;
struct vm_err place_err;
char place_root[256];

int place_make(void **state)
{
	const char *tmp = getenv("VM_TEST_TMP");

	(void)state;
	snprintf(place_root, sizeof(place_root), "%.200s/r.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(place_root));
	setenv("VM_ROOT", place_root, 1);
	unsetenv("VM_CONNECT");
	place_reopen(VM_STATE_CHANGE);
	return 0;
}

void place_reopen(enum vm_state_access access)
{
	vm_state_close(&place);
	place = VM_STATE_INIT;
	must(vm_state_open("qemu:///system", access, &place, must_err));
}

int place_remove(void **state)
{
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	child_end_here(place_err.msg);
	vm_state_close(&place);
	{
		VM_AUTO_FREE char *dir = vm_xstrdup(place_root);
		VM_AUTO_FD int fd = -1;
		char *slash = strrchr(dir, '/');

		*slash = '\0';
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (vm_tree_remove(fd, slash + 1, &err) < 0)
			fprintf(stderr, "# %s\n", err.msg);
	}
	return 0;
}

void place_uuid(char digit, uint8_t ret[16])
{
	char text[33];

	memset(text, digit, 32);
	text[32] = '\0';
	assert_int_equal(vm_uuid_parse(text, ret), 0);
}

void place_define(const char *name, char uuid_digit)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_record_free) struct vm_record facts = VM_RECORD_INIT;
	VM_AUTO_FREE char *text = NULL;
	char uuid[37];

	must(vm_guest_open(&place, name, VM_GUEST_LOCKED | VM_GUEST_NEW, vm_deadline_in(2000), &g,
			   must_err));
	place_uuid(uuid_digit, g.uuid);
	g.has_uuid = true;
	vm_uuid_format(g.uuid, uuid);
	text = vm_xasprintf("<domain type='kvm'><name>%s</name><uuid>%s</uuid></domain>\n", name,
			    uuid);
	must(vm_definition_write(&g, text, strlen(text), g.defined, must_err));
	vm_record_set(&facts, "uuid", uuid);
	must(vm_index_write(&place, name, &facts, must_err));
}

static char *at(const char *path)
{
	return vm_xasprintf("%s/%s", place_root, path);
}

void place_file(const char *path, const char *text)
{
	VM_AUTO_FREE char *full = at(path);
	VM_AUTO_FD int dir = -1;
	VM_AUTO_FD int fd = -1;
	char *slash = strrchr(full, '/');

	*slash = '\0';
	must(vm_dir_make(AT_FDCWD, full, 0755, &dir, must_err));
	fd = openat(dir, slash + 1, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

bool place_exists(const char *path)
{
	VM_AUTO_FREE char *full = at(path);
	struct stat st;

	return lstat(full, &st) == 0;
}

char *place_text(const char *path)
{
	VM_AUTO_FREE char *full = at(path);
	struct vm_err err = VM_ERR_INIT;
	char *text = NULL;

	return vm_file_read(AT_FDCWD, full, 1 << 20, &text, NULL, NULL, &err) < 0 ? NULL : text;
}

size_t place_count(const char *path)
{
	VM_AUTO_FREE char *full = at(path);
	DIR *d = opendir(full);
	size_t n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void fake_main(int alive, int watch, int ready, enum fake how)
{
	struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	char c;

	if (read(ready, &c, 1) < 0)
		_exit(1);
	if (how & FAKE_DROPS)
		fcntl(alive, F_OFD_SETLK, &fl);
	(void)watch;
	for (;;)
		pause();
}

pid_t place_run(const char *name, enum fake how)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FD int alive = -1;
	VM_AUTO_FD int watch = -1;
	struct vm_procid id;
	char uuid[37];
	int go[2], there[2];
	pid_t pid;
	char c;

	must(vm_guest_open(&place, name, VM_GUEST_LOCKED | VM_GUEST_NEW, vm_deadline_in(2000), &g,
			   must_err));
	must(vm_guest_make_dirs(&g, must_err));
	must(vm_guest_alive_make(&g, &alive, must_err));
	if (how & FAKE_WATCHED)
		must(
		    vm_lock_take(g.run, VM_RUN_WATCH_LOCK, vm_deadline_in(1000), &watch, must_err));
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(there, O_CLOEXEC), 0);
	pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* as exec would */
		if (g.lock >= 0)
			close(g.lock);
		close(go[1]);
		if (write(there[1], "x", 1) != 1)
			_exit(1);
		fake_main(alive, watch, go[0], how);
	}
	close(go[0]);
	assert_int_equal(read(there[0], &c, 1), 1);
	close(there[0]);
	close(there[1]);
	must(vm_procid_of(pid, &id, must_err));
	vm_record_set(&g.record, VM_KEY_NAME, name);
	vm_record_set(&g.record, VM_KEY_PHASE, how & FAKE_STARTING ? "starting" : "running");
	vm_record_set(&g.record, VM_KEY_PERSISTENT, g.defined ? "yes" : "no");
	vm_record_setf(&g.record, VM_KEY_STARTED_MS, "%llu", (unsigned long long)vm_realtime_ms());
	if (g.has_uuid) {
		vm_uuid_format(g.uuid, uuid);
		vm_record_set(&g.record, VM_KEY_UUID, uuid);
	}
	vm_record_set_procid(&g.record, VM_KEY_PID, &id);
	if (!(how & FAKE_NO_RECORD))
		must(vm_guest_record_write(&g, must_err));
	g.active = true;
	assert_int_equal(write(go[1], "x", 1), 1);
	close(go[1]);
	if (how & FAKE_DROPS) {
		VM_AUTO_FD int ask = openat(g.run, VM_RUN_ALIVE, O_RDONLY | O_CLOEXEC);
		int tries = 2000;

		vm_cleanup_fd(&alive);
		while (vm_lock_held(ask, &place_err) == 1 && tries--)
			usleep(1000);
		assert_int_equal(vm_lock_held(ask, &place_err), 0);
	}
	return pid;
}

void place_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

bool place_lives(pid_t pid)
{
	/* a zombie of ours is dead */
	return waitpid(pid, NULL, WNOHANG) == 0;
}
