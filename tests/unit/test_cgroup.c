/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the host's control groups are, and where a guest's are to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>

#include "cgroup/internal.h"
#include "cgroup/systemd.h"

#include "scratch.h"

#define DATA VM_TEST_DATA "/cgroup/"

static struct vm_err err;

static int setup(void **state)
{
	err = VM_ERR_INIT;
	return scratch_make(state);
}

/* ---- a recorded host in a directory ---- */
static char *slurp(const char *path)
{
	char *text = NULL;

	if (vm_file_read(AT_FDCWD, path, 1u << 20, &text, NULL, NULL, &err) < 0)
		err = VM_ERR_INIT;
	return text;
}

/* controllers: of the v2 mount, or NULL. */
static void make_host(const char *mountinfo, const char *self, const char *names,
		      const char *controllers)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;

	scratch_put("proc/self/mountinfo", mountinfo);
	scratch_put("proc/self/cgroup", self);
	if (names != NULL)
		scratch_put("proc/cgroups", names);
	if (vm_cgroup_parse_mounts(vm_xstrdup(mountinfo), &h, &err) == 0)
		for (size_t i = 0; i < h.n; i++) {
			VM_AUTO_FREE char *dir = vm_xasprintf("%s/", h.v[i].mount + 1);
			VM_AUTO_FREE char *file = vm_xasprintf("%scgroup.controllers", dir);

			scratch_put(dir, NULL);
			if (h.v[i].v2 && controllers != NULL)
				scratch_put(file, controllers);
		}
	vm_cgroup_host_close(&h);
}

static int open_host(struct vm_cgroup_host *h)
{
	return vm_cgroup_host_open(scratch_dir, h, &err);
}

static void mangle(const char *text, struct vm_strbuf *b)
{
	for (; *text != 0; text++)
		if (strchr(" \t\n\\", *text) != NULL)
			vm_strbuf_printf(b, "\\%03o", (unsigned)*text);
		else
			vm_strbuf_putc(b, *text);
}

/* As the .expect files have it; their "serves" lines ask questions. */
static char *describe(const struct vm_cgroup_host *h, const char *expect)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_strbuf_printf(&b, "kind %s\n", vm_cgroup_host_kind(h));
	for (size_t i = 0; i < h->n; i++) {
		const struct vm_cgroup_hier *v = &h->v[i];

		vm_strbuf_printf(&b, "%s ", v->name);
		mangle(v->mount, &b);
		vm_strbuf_printf(&b, " %s", v->self != NULL ? v->self : "-");
		for (unsigned c = 0; v->v2 && c < VM_CGROUP_CONTROLLERS; c++)
			if ((v->controllers & 1u << c) != 0)
				vm_strbuf_printf(&b, " %s", vm_cgroup_controllers[c]);
		vm_strbuf_putc(&b, '\n');
	}
	for (const char *at = expect; (at = strstr(at, "serves ")) != NULL; at++) {
		const struct vm_cgroup_hier *v = NULL;
		char word[32];

		assert_int_equal(sscanf(at, "serves %31s", word), 1);
		for (unsigned c = 0; c < VM_CGROUP_CONTROLLERS; c++)
			if (strcmp(vm_cgroup_controllers[c], word) == 0)
				v = vm_cgroup_host_find(h, c);
		vm_strbuf_printf(&b, "serves %s %s\n", word, v != NULL ? v->name : "-");
	}
	return vm_strbuf_take(&b);
}

static void test_hosts(void **state)
{
	glob_t g = { 0 };

	assert_int_equal(glob(DATA "*.expect", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 10);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
		size_t len = strlen(g.gl_pathv[i]) - strlen(".expect");
		char *text[5], *got;
		static const char *const ext[5] = { "mountinfo", "self", "cgroups", "controllers", "expect" };

		for (int k = 0; k < 5; k++) {
			VM_AUTO_FREE char *file =
				vm_xasprintf("%.*s.%s", (int)len, g.gl_pathv[i], ext[k]);

			text[k] = slurp(file);
		}
		assert_non_null(text[4]);
		make_host(text[0], text[1], text[2], text[3]);
		assert_int_equal(open_host(&h), 0);
		got = describe(&h, text[4]);
		print_message("# %s\n", g.gl_pathv[i]);
		assert_string_equal(got, text[4]);
		free(got);
		vm_cgroup_host_close(&h);
		for (int k = 0; k < 5; k++)
			free(text[k]);
		scratch_remove(state);
		setup(state);
	}
	globfree(&g);
}

/* libvirt's recordings, where they are at hand: tables of mounts in the old format. */
static char *as_mountinfo(char *mounts)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	char *line, *rest = mounts;
	unsigned n = 20;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char device[256], point[256], type[64], options[512];

		if (sscanf(line, "%255s %255s %63s %511s", device, point, type, options) == 4)
			vm_strbuf_printf(&b, "%u 1 0:%u / %s rw - %s %s %s\n", n, n, point, type, device,
					 options), n++;
	}
	return vm_strbuf_take(&b);
}

static const struct vm_cgroup_hier *by_word(const struct vm_cgroup_host *h, const char *word)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct vm_cgroup_hier *v = &h->v[i];

		if (strcmp(word, "unified") == 0 && v->v2)
			return v;
		if (strncmp(word, "name=", 5) == 0 && strcmp(v->name + 3, word) == 0)
			return v;
		for (unsigned c = 0; !v->v2 && c < VM_CGROUP_CONTROLLERS; c++)
			if (strcmp(vm_cgroup_controllers[c], word) == 0 && (v->controllers & 1u << c) != 0)
				return v;
	}
	return NULL;
}

/* Where guests are put on such a host; names of its controllers, in whatever way its table is split, are escaped. */
static void check_placements(const struct vm_cgroup_host *h, const char *names)
{
	bool net_cls = strstr(names, "net_cls") != NULL;
	const struct {
		const char *partition, *path;
	} cases[] = {
		{ "/virtualmachines", "/virtualmachines.partition" },
		{ "/deployment/production", "/deployment.partition/production.partition" },
		{ "/user/berrange.user/production", "/user/berrange.user/production.partition" },
		{ "/cgroup.evil/net_cls.evil/_evil.evil",
		  net_cls ? "/_cgroup.evil/_net_cls.evil/__evil.evil" : "/_cgroup.evil/net_cls.evil/__evil.evil" },
	};
	VM_AUTO_FREE char *dir = vm_cgroup_guest_dir(h, "cpu.foo", "lxc", NULL);

	assert_string_equal(dir, "_cpu.foo.vm-lxc");
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO_FREE char *path = NULL;

		assert_int_equal(vm_cgroup_partition_path(h, cases[i].partition, &path, &err), 0);
		assert_string_equal(path, cases[i].path);
	}
}

static void test_recordings(void **state)
{
	static const char dir[] = VM_TEST_DATA "/../../../shared/testdata/host/vircgroupdata/";
	VM_AUTO_FREE char *pattern = vm_xasprintf("%s*.parsed", dir);
	glob_t g = { 0 };

	if (glob(pattern, 0, NULL, &g) != 0)
		skip();
	for (size_t i = 0; i < g.gl_pathc; i++) {
		int len = (int)(strlen(g.gl_pathv[i]) - strlen(".parsed"));
		VM_AUTO_FREE char *mounts_file = vm_xasprintf("%.*s.mounts", len, g.gl_pathv[i]);
		VM_AUTO_FREE char *self_file = vm_xasprintf("%.*s.self.cgroup", len, g.gl_pathv[i]);
		VM_AUTO_FREE char *names_file = vm_xasprintf("%.*s.cgroups", len, g.gl_pathv[i]);
		VM_AUTO_FREE char *mounts = slurp(mounts_file);
		VM_AUTO_FREE char *self = slurp(self_file);
		VM_AUTO_FREE char *names = slurp(names_file);
		VM_AUTO_FREE char *parsed = slurp(g.gl_pathv[i]);
		VM_AUTO_FREE char *mountinfo = as_mountinfo(mounts);
		struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
		char *line, *rest = parsed;

		print_message("# %s\n", g.gl_pathv[i]);
		make_host(mountinfo, self, names, "");
		assert_int_equal(open_host(&h), 0);
		check_placements(&h, names);
		while ((line = strsep(&rest, "\n")) != NULL) {
			const struct vm_cgroup_hier *v;
			char word[32], want[256];

			if (sscanf(line, "%31s %255s", word, want) != 2)
				continue;
			v = by_word(&h, word);
			/* Whether v1's controller of devices counts beside v2 is decided elsewhere here. */
			if (strcmp(want, "<null>") != 0) {
				assert_non_null(v);
				assert_string_equal(v->mount, want);
			} else if (strcmp(word, "devices") != 0) {
				assert_null(v);
			}
		}
		vm_cgroup_host_close(&h);
		scratch_remove(state);
		setup(state);
	}
	globfree(&g);
}

static void test_no_recorded_cgroups(void **state)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;

	(void)state;
	make_host("28 1 254:1 / / rw - ext4 /dev/vda1 rw\n", "", NULL, NULL);
	assert_int_equal(open_host(&h), 0);
	assert_int_equal(h.n, 0);
	assert_string_equal(vm_cgroup_host_kind(&h), "none");
	vm_cgroup_host_close(&h);
	/* Nothing at all is no host. */
	scratch_remove(state);
	setup(state);
	assert_int_equal(open_host(&h), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "look at the control groups: read /proc/self/mountinfo: No such file or "
				     "directory");
}

static void test_bad_tables(void **state)
{
	static const char *const bad[] = {
		"31 23 0:31 / - cgroup cgroup rw,memory\n", /* fields missing */
		"31 23 0:31 / /a rw - cgroup x\n",
		"31 23 0:31 a /a rw - cgroup x rw,memory\n",
		"31 23 0:31 / a rw - cgroup x rw,memory\n",
		"31 23 0:31 / /a\\04 rw - cgroup x rw,memory\n",
		"31 23 0:31 / /a\\000b rw - cgroup x rw,memory\n",
		"31 23 0:31 / /a\\777b rw - cgroup x rw,memory\n",
	};
	static const char *const bad_pids[] = { "x:memory:/\n", "1:memory\n", "1\n", "1:memory:a\n", ":memory:/\n" };
	struct vm_cgroup_hier memory = { .controllers = 1u << VM_CGROUP_MEMORY };
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	char *path = NULL;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		VM_AUTO_FREE char *text = vm_xasprintf("28 1 0:1 / / rw - ext4 x rw\n%s", bad[i]);

		assert_int_equal(vm_cgroup_parse_mounts(vm_xstrdup(text), &h, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
		assert_string_equal(err.msg, "mountinfo:2: a malformed cgroup mount");
		vm_cgroup_host_close(&h);
	}
	for (int i = 0; i < 17; i++)
		vm_strbuf_printf(&b, "31 23 0:31 / /a%d rw - cgroup x rw,name=n%d\n", i, i);
	assert_int_equal(vm_cgroup_parse_mounts(vm_xstrdup(b.text), &h, &err), -1);
	assert_string_equal(err.msg, "mountinfo:17: more than 16 cgroup hierarchies");
	vm_cgroup_host_close(&h);
	for (size_t i = 0; i < VM_COUNT(bad_pids); i++) {
		assert_int_equal(vm_cgroup_parse_pid(bad_pids[i], &memory, &path, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
	}
	assert_int_equal(vm_cgroup_parse_pid("3:cpu:/\n", &memory, &path, &err), 0);
	assert_null(path);
	/* Words are whole: "memory2" is another controller. */
	assert_int_equal(vm_cgroup_bits("memory2,xmemory,mem", ","), 0);
}

/* ---- names ---- */
static void space_host(struct vm_cgroup_host *h)
{
	/* Split by blanks, not by TABs. */
	make_host("", "", "#subsys_name hierarchy num_cgroups enabled\ncpu 1 1 1\n  cpuset\t2\t1\t1\ndevices  5 1 1\n"
			 "\nmemory",
		  NULL);
	assert_int_equal(open_host(h), 0);
}

static void test_partitions(void **state)
{
	static const struct {
		const char *partition, *path;
	} cases[] = {
		{ "/machine", "/machine" },
		{ "/virtualmachines", "/virtualmachines.partition" },
		{ "/deployment/production", "/deployment.partition/production.partition" },
		{ "/user/berrange.user/production", "/user/berrange.user/production.partition" },
		{ "/user/machine", "/user/machine.partition" },
		{ "/system//x/", "/system/x.partition" },
		{ "/cgroup.evil/net_cls.evil/_evil.evil", "/_cgroup.evil/net_cls.evil/__evil.evil" },
		{ "/cpu.evil/cpuset.a/memory.b/cpu2.c/.d",
		  "/_cpu.evil/_cpuset.a/_memory.b/cpu2.c/_.d" },
		{ "/", "/" },
	};
	static const struct {
		const char *partition, *msg;
	} bad[] = {
		{ "machine", "partition 'machine' does not begin with /" },
		{ "", "partition '' does not begin with /" },
		{ "/a/../b", "partition /a/../b: '..' is no part of a partition" },
		{ "/./b", "partition /./b: '.' is no part of a partition" },
		{ "/a\nb", "partition '/a\nb' has a control character in it" },
	};
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	char *long_name = vm_xmalloc(3001);

	(void)state;
	space_host(&h);
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO_FREE char *path = NULL;

		assert_int_equal(vm_cgroup_partition_path(&h, cases[i].partition, &path, &err), 0);
		assert_string_equal(path, cases[i].path);
	}
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		char *path = NULL;

		assert_int_equal(vm_cgroup_partition_path(&h, bad[i].partition, &path, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
		assert_string_equal(err.msg, bad[i].msg);
	}
	memset(long_name, 'a', 3000);
	long_name[0] = '/';
	long_name[3000] = 0;
	assert_int_equal(vm_cgroup_partition_path(&h, long_name, &(char *){ NULL }, &err), -1);
	long_name[250] = 0;
	assert_int_equal(vm_cgroup_partition_path(&h, long_name, &(char *){ NULL }, &err), -1);
	free(long_name);
	vm_cgroup_host_close(&h);
}

static void test_guest_names(void **state)
{
	static const struct {
		const char *name, *tag, *dir;
	} cases[] = {
		{ "web1", NULL, "web1.vm-qemu" },
		{ "web1", "r01", "web1.r01.vm-qemu" },
		{ "cpu.foo", NULL, "_cpu.foo.vm-qemu" },
		{ "a.b-c", NULL, "a.b-c.vm-qemu" },
		/* what is lost is told apart by a hash */
		{ "db 1", NULL, "db1-" },
		{ "db1_", NULL, "db1-" },
		{ "a..b", NULL, "a.b-" },
		{ "a--", NULL, "a-" },
		{ "\xc3\xa4", NULL, "" },
		{ "_x", NULL, "x-" },
	};
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	char long_name[201];

	(void)state;
	space_host(&h);
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO_FREE char *dir = vm_cgroup_guest_dir(&h, cases[i].name, "qemu", cases[i].tag);
		size_t len = strlen(cases[i].dir);

		assert_memory_equal(dir, cases[i].dir, len);
		if (len < 8 || strcmp(cases[i].dir + len - 8, ".vm-qemu") != 0) {
			assert_int_equal(strlen(dir), len + 8 + 8);
			assert_int_equal(strspn(dir + len, "0123456789abcdef"), 8);
		}
	}
	VM_AUTO_FREE char *one = vm_cgroup_guest_dir(&h, "db 1", "qemu", NULL);
	VM_AUTO_FREE char *two = vm_cgroup_guest_dir(&h, "d b1", "qemu", NULL);

	assert_string_not_equal(one, two);
	memset(long_name, 'x', 200);
	long_name[200] = 0;
	VM_AUTO_FREE char *cut = vm_cgroup_guest_dir(&h, long_name, "qemu", NULL);

	assert_int_equal(strlen(cut), 64 + 1 + 8 + 8);
	vm_cgroup_host_close(&h);
}

static void test_systemd_escape(void **state)
{
	static const char *const cases[][2] = {
		{ "web1", "web1" },	  { ".hidden", "\\x2ehidden" }, { "a/b", "a-b" },
		{ "a-b", "a\\x2db" },	  { "a\\b", "a\\x5cb" },	 { "a b.c:d_e", "a\\x20b.c:d_e" },
		{ "\xc3\xa4", "\\xc3\\xa4" },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO_FREE char *got = vm_systemd_escape(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
	}
}

/* What a record holds is the only thing that is ever removed. */
static void test_held(void **state)
{
	static const char *const bad[] = {
		"",
		"v2",
		"v2 1",
		"v2 1 ",
		"v2 1 machine/x",
		"v2 x /machine/x",
		"v2 -1 /machine/x",
		" 1 /machine/x",
		"v2 1 /",
		"v2 1 /machine/../x",
		"v2 1 /machine/..",
		"v2 1 /machine\n/x",
		"v2 @ /machine/x",
		"v2 @@1 /machine/x",
		"v2  1 /machine/x",
	};
	struct vm_cgroup_held held;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		assert_int_equal(vm_cgroup_parse_held(bad[i], &held, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
	}
	assert_int_equal(vm_cgroup_parse_held("v1:cpu,cpuacct 42 /machine/a b", &held, &err), 0);
	assert_string_equal(held.hier, "v1:cpu,cpuacct");
	assert_int_equal(held.id, 42);
	assert_false(held.adopted);
	assert_string_equal(held.path, "/machine/a b");
	assert_int_equal(vm_cgroup_parse_held("v2 @7 /machine.slice/vm-a.scope", &held, &err), 0);
	assert_true(held.adopted);
	assert_int_equal(held.id, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hosts, setup, scratch_remove),
		cmocka_unit_test_setup_teardown(test_recordings, setup, scratch_remove),
		cmocka_unit_test_setup_teardown(test_no_recorded_cgroups, setup, scratch_remove),
		cmocka_unit_test_setup_teardown(test_bad_tables, setup, scratch_remove),
		cmocka_unit_test_setup_teardown(test_partitions, setup, scratch_remove),
		cmocka_unit_test_setup_teardown(test_guest_names, setup, scratch_remove),
		cmocka_unit_test(test_systemd_escape),
		cmocka_unit_test(test_held),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
