/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/err.h>
#include <vm/file.h>

#include "confine/uid.h"

#define FIRST 2100000000u

struct place {
	char path[64];
	int top, uids, etc;
};

static int sub(int at, const char *name)
{
	assert_true(mkdirat(at, name, 0700) == 0 || errno == EEXIST);
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void set_up(struct place *p)
{
	strcpy(p->path, "/tmp/vmt-uid-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->top = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->uids = sub(p->top, "uids");
	p->etc = sub(p->top, "etc");
}

static void tear_down(struct place *p)
{
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FD int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(p->uids);
	close(p->etc);
	close(p->top);
	assert_int_equal(vm_tree_remove(tmp, p->path + 5, &err), 0);
}

static void put(int dir, const char *name, const char *text)
{
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(vm_file_write(dir, name, text, strlen(text), 0644, &err), 0);
}

static struct vm_uid_pool pool_of(const struct place *p, uint32_t count)
{
	return (struct vm_uid_pool){ .dir = p->uids, .etc = p->etc, .first = FIRST, .count = count };
}

static void test_life(void **state)
{
	struct place p;
	struct vm_err err = VM_ERR_INIT;
	uint32_t a = 0, b = 0;
	VM_AUTO_FD int own = -1;

	(void)state;
	set_up(&p);
	own = sub(p.top, "g");
	struct vm_uid_pool pool = pool_of(&p, 1000);
	assert_int_equal(vm_uid_find(p.uids, own, "qemu/g/u1", &a), 1);
	assert_int_equal(vm_uid_take(&pool, own, "qemu/g/u1", &a, &err), 0);
	assert_in_range(a, FIRST, FIRST + 999);
	assert_int_equal(vm_uid_take(&pool, own, "qemu/g/u1", &b, &err), 0);
	assert_int_equal(a, b);
	/* kept when the range changes */
	pool.first = 1000;
	assert_int_equal(vm_uid_take(&pool, own, "qemu/g/u1", &b, &err), 0);
	assert_int_equal(a, b);
	/* another guest's prefix does not take it away */
	assert_int_equal(vm_uid_find(p.uids, own, "qemu/g/u2", &b), 1);
	assert_int_equal(vm_uid_drop(p.uids, own, "qemu/g/", &err), 1);
	assert_int_equal(vm_uid_drop(p.uids, own, "qemu/g/", &err), 0);
	assert_int_equal(vm_uid_find(p.uids, own, "qemu/g/u1", &b), 1);
	tear_down(&p);
}

/* A link that was made before the id was taken names somebody else's. */
static void test_interrupted(void **state)
{
	struct place p;
	struct vm_err err = VM_ERR_INIT;
	struct vm_uid_pool pool;
	uint32_t a, b;
	VM_AUTO_FD int g = -1;
	VM_AUTO_FD int h = -1;
	char number[16];

	(void)state;
	set_up(&p);
	pool = pool_of(&p, 2);
	g = sub(p.top, "g");
	h = sub(p.top, "h");
	assert_int_equal(vm_uid_take(&pool, g, "qemu/g/u1", &a, &err), 0);
	snprintf(number, sizeof(number), "%u", a);
	assert_int_equal(symlinkat(number, h, VM_UID_LINK), 0);
	assert_int_equal(vm_uid_find(p.uids, h, "qemu/h/u2", &b), 1);
	/* dropping it leaves g's */
	assert_int_equal(vm_uid_drop(p.uids, h, "qemu/h/", &err), 1);
	assert_int_equal(vm_uid_find(p.uids, g, "qemu/g/u1", &b), 0);
	assert_int_equal(vm_uid_take(&pool, h, "qemu/h/u2", &b, &err), 0);
	assert_int_not_equal(a, b);
	/* an earlier guest of the same name is no obstacle, though all are taken */
	assert_int_equal(vm_uid_take(&pool, h, "qemu/h/u3", &a, &err), 0);
	assert_int_equal(a, b);
	/* a guest "h/x" has no place in the file system; one named like a part of ours is another */
	VM_AUTO_FD int i = sub(p.top, "i");
	assert_int_equal(vm_uid_take(&pool, i, "qemu/i/u4", &a, &err), -1);
	assert_int_equal(err.kind, VM_IN_USE);
	assert_string_equal(err.msg, "all 2 ids from 2100000000 on are taken");
	assert_int_equal(readlinkat(i, VM_UID_LINK, number, sizeof(number)), -1);
	tear_down(&p);
}

static void test_host_ids(void **state)
{
	struct place p;
	struct vm_err err = VM_ERR_INIT;
	struct vm_uid_pool pool;
	uint32_t a;
	VM_AUTO_FD int own = -1;

	(void)state;
	set_up(&p);
	pool = pool_of(&p, 3);
	own = sub(p.top, "g");
	put(p.etc, "passwd", "root:x:0:0::/:/bin/sh\nann:x:2100000000:1::/:\n");
	put(p.etc, "group", "root:x:0:\nmany:x:2100000002:\n");
	assert_int_equal(vm_uid_take(&pool, own, "qemu/g/u1", &a, &err), 0);
	assert_int_equal(a, FIRST + 1);
	assert_int_equal(vm_uid_drop(p.uids, own, "qemu/g/", &err), 1);
	put(p.etc, "subuid", "ann:100000:65536\n");
	put(p.etc, "subgid", "# bob:2100000000:5\nbob:2100000002:65536\n");
	assert_int_equal(vm_uid_take(&pool, own, "qemu/g/u1", &a, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_string_equal(err.msg, "the range of guests' ids, 2100000000-2100000002, overlaps that of "
				     "bob in subgid");
	put(p.etc, "subgid", "bob:2100000003:65536\ncut:2099999999\n");
	assert_int_equal(vm_uid_take(&pool, own, "qemu/g/u1", &a, &err), 0);
	tear_down(&p);
}

static void test_not_ours(void **state)
{
	struct place p;
	char owner[VM_UID_OWNER_MAX], long_target[600];
	uint32_t id;

	(void)state;
	set_up(&p);
	assert_int_equal(symlinkat("qemu/g/u", p.uids, "012"), 0);
	assert_int_equal(symlinkat("qemu/g/u", p.uids, "4294967295"), 0);
	put(p.uids, "77", "x");
	memset(long_target, 'a', sizeof(long_target));
	long_target[599] = 0;
	assert_int_equal(symlinkat(long_target, p.uids, "78"), 0);
	assert_false(vm_uid_owner(p.uids, "012", &id, owner));
	assert_false(vm_uid_owner(p.uids, "4294967295", &id, owner));
	assert_false(vm_uid_owner(p.uids, "77", &id, owner));
	assert_false(vm_uid_owner(p.uids, "78", &id, owner));
	assert_false(vm_uid_owner(p.uids, "..", &id, owner));
	tear_down(&p);
}

#define RACERS 20
#define ROUNDS 30

static void race(const struct place *p, int n)
{
	struct vm_uid_pool pool = pool_of(p, RACERS + 2);
	struct vm_err err = VM_ERR_INIT;
	char name[16], owner[40];
	uint32_t id, again;
	int own;

	snprintf(name, sizeof(name), "r%d", n);
	snprintf(owner, sizeof(owner), "qemu/r%d/u", n);
	own = sub(p->top, name);
	for (int i = 0; i < ROUNDS; i++) {
		if (vm_uid_take(&pool, own, owner, &id, &err) < 0 ||
		    vm_uid_find(p->uids, own, owner, &again) != 0 || again != id)
			_exit(1);
		if (i + 1 < ROUNDS) {
			snprintf(owner, sizeof(owner), "qemu/r%d/", n);
			if (vm_uid_drop(p->uids, own, owner, &err) != 1)
				_exit(2);
			snprintf(owner, sizeof(owner), "qemu/r%d/u", n);
		}
	}
	_exit(0);
}

static int count_entry(int dirfd, const char *name, void *arg)
{
	(void)dirfd;
	(void)name;
	++*(int *)arg;
	return 0;
}

/* Few more ids than processes that take and give back: they meet all the time, and no two have one. */
static void test_race(void **state)
{
	struct place p;
	struct vm_err err = VM_ERR_INIT;
	pid_t pids[RACERS];
	int n = 0, status;

	(void)state;
	set_up(&p);
	for (int i = 0; i < RACERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			race(&p, i);
	}
	for (int i = 0; i < RACERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(vm_dir_each(p.uids, count_entry, &n, &err), 0);
	assert_int_equal(n, RACERS);
	tear_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	 cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_host_ids), cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
