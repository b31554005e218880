/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "child.h"
#include "qemu/caps/caps_private.h"
#include "qemu/caps/caps_schema.h"
#include "qemu/qmp/qmp.h"

#include "scratch.h"

#define QEMU "/usr/bin/qemu-system-x86_64"

static struct vm_state places = VM_STATE_INIT;

static int setup(void **state)
{
	if (scratch_make(state) < 0)
		return -1;
	scratch_put("qemu/", NULL);
	places.lib = openat(scratch_dir, "qemu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return places.lib < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close(places.lib);
	return scratch_remove(state);
}

/* Writes an executable script, returns its path. */
static const char *script(const char *name, const char *text)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", scratch_root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

/* ---- the schema ---- */

static const char schema_text[] =
    "[{'name':'add','meta-type':'command','arg-type':'1','ret-type':'9','features':['json-cli']},"
    "{'name':'1','meta-type':'object','members':[{'name':'plain','type':'str'},"
    "  {'name':'mode','type':'2','features':['deprecated']},{'name':'list','type':'[4]'}],"
    " 'tag':'driver','variants':[{'case':'file','type':'4'},{'case':'none','type':'9'}]},"
    "{'name':'2','meta-type':'enum','values':['on','off'],'members':[{'name':'on'},{'name':'off'}]}"
    ","
    "{'name':'3','meta-type':'enum','values':['old']},"
    "{'name':'4','meta-type':'object','members':[{'name':'aio','type':'3'},{'name':'up','type':'5'}"
    "]},"
    "{'name':'[4]','meta-type':'array','element-type':'4'},"
    "{'name':'5','meta-type':'alternate','members':[{'type':'str'},{'type':'4'}]},"
    "{'name':'9','meta-type':'object','members':[]},"
    "{'name':'loop','meta-type':'command','arg-type':'L'},"
    "{'name':'L','meta-type':'array','element-type':'L'},"
    "{'name':'EV','meta-type':'event','arg-type':'4'},"
    "{'name':'str','meta-type':'builtin'}]";

static json_t *load_schema(json_t **ret_index)
{
	VM_AUTO_FREE char *text = vm_xstrdup(schema_text);
	json_t *schema;

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	schema = json_loads(text, 0, NULL);
	assert_non_null(schema);
	*ret_index = vm_qemu_schema_index(schema);
	return schema;
}

static void test_schema(void **state)
{
	static const char *const there[] = {
	    "add",
	    "add/$json-cli",
	    "add/arg",
	    "add/ret",
	    "add/arg/plain",
	    "add/arg/mode/^on",
	    "add/arg/mode/$deprecated",
	    "add/arg/+file",
	    "add/arg/+file/aio/^old",
	    "add/arg/list/aio",
	    "add/arg/list/up/aio",
	    "add/arg/+none",
	    "EV/arg/aio",
	};
	static const char *const absent[] = {
	    "",
	    "ad",
	    "sub",
	    "add/$json",
	    "add/arg/plai",
	    "add/arg/mode/^o",
	    "add/arg/mode/$dep",
	    "add/arg/+fil",
	    "add/arg/+plain",
	    "add/arg/file",
	    "add/arg/plain/x",
	    "add/args",
	    "add/arg/mode/on",
	    "add/arg/^on",
	    "loop/arg/x",
	    "add/ret/x",
	    "add/arg/+file/aio/^new",
	    "2/^on/x",
	};
	json_t *index, *schema = load_schema(&index);

	(void)state;
	for (size_t i = 0; i < VM_COUNT(there); i++)
		if (!vm_qemu_schema_has(index, there[i]))
			fail_msg("%s is not found", there[i]);
	for (size_t i = 0; i < VM_COUNT(absent); i++)
		if (vm_qemu_schema_has(index, absent[i]))
			fail_msg("%s is found", absent[i]);
	assert_int_equal(json_array_size(vm_qemu_schema_arguments(index, "add")), 3);
	json_decref(index);
	json_decref(schema);
}

/* ---- questions ---- */

static struct vm_qemu_caps *make_caps(void)
{
	struct vm_record r = VM_RECORD_INIT;
	struct vm_qemu_caps *c = NULL;
	struct vm_err err = VM_ERR_INIT;

	vm_record_set(&r, "emulator", "/usr/bin/q");
	vm_record_set(&r, "arch", "x86_64");
	vm_record_set(&r, "version", "7.2.22");
	vm_record_set(&r, "kvm", "yes");
	vm_record_set(&r, "types", "virtio-net-pci vfio-pci e1000 iothread");
	vm_record_set(&r, "props.virtio-net-pci", "rss mq");
	vm_record_set(&r, "commands", "migrate migrate.detach cont");
	vm_record_set(&r, "events", "STOP");
	vm_record_set(&r, "options", "sandbox sandbox.spawn");
	vm_record_set(&r, "schema", "device-json");
	vm_record_add(&r, "machine", "name:pc-7 alias:pc cpu-max:255 default");
	vm_record_add(
	    &r, "machine",
	    "name:q35-7 alias:q35 default-cpu:qemu64-x86_64-cpu ram-id:pc.ram cpu-max:288 "
	    "hotpluggable-cpus deprecated");
	vm_record_add(&r, "cpu", "name:host migration-safe");
	vm_record_add(&r, "cpu", "name:base static alias-of:base-v1");
	assert_int_equal(vm_qemu_caps_from_record(&r, &c, &err), 0);
	return c;
}

static void test_has(void **state)
{
	static const char *const there[] = {
	    "kvm",
	    "type:vfio-pci",
	    "type:virtio-net-pci",
	    "type:iothread",
	    "device:e1000",
	    "device:virtio-net-pci.rss",
	    "device:virtio-net-pci.mq",
	    "command:migrate",
	    "command:migrate.detach",
	    "command:cont",
	    "event:STOP",
	    "option:sandbox.spawn",
	    "schema:device-json",
	    "machine:q35",
	    "machine:q35-7",
	    "cpu:base",
	};
	static const char *const absent[] = {
	    "type:vfio",
	    "type:pci",
	    "type:",
	    "device:virtio-net-pci.r",
	    "device:e1000.rss",
	    "device:virtio-net-pci.",
	    "command:migrat",
	    "command:detach",
	    "event:STO",
	    "option:spawn",
	    "machine:q3",
	    "machine:",
	    "cpu:max",
	    "tpm:tpm-crb",
	    "schema:device",
	};
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = make_caps();
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(there); i++)
		if (!vm_qemu_caps_has(c, there[i]))
			fail_msg("%s is not found", there[i]);
	for (size_t i = 0; i < VM_COUNT(absent); i++)
		if (vm_qemu_caps_has(c, absent[i]))
			fail_msg("%s is found", absent[i]);
	assert_int_equal(vm_qemu_caps_need(c, "device:vfio-pci", &err), 0);
	assert_int_equal(vm_qemu_caps_need(c, "device:igb", &err), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_string_equal(err.msg, "/usr/bin/q 7.2.22 has no device igb");
}

static void test_machines(void **state)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = make_caps();
	struct vm_err err = VM_ERR_INIT;
	struct vm_qemu_machine m;
	struct vm_qemu_cpu cpu;

	(void)state;
	assert_int_equal(vm_qemu_caps_machine(c, "q35", &m, &err), 0);
	assert_string_equal(m.name, "q35-7");
	assert_string_equal(m.default_cpu, "qemu64-x86_64-cpu");
	assert_string_equal(m.ram_id, "pc.ram");
	assert_int_equal(m.cpu_max, 288);
	assert_true(m.hotpluggable_cpus && m.deprecated && !m.is_default);
	assert_int_equal(vm_qemu_caps_machine(c, NULL, &m, &err), 0);
	assert_string_equal(m.alias, "pc");
	assert_string_equal(m.ram_id, "");
	assert_int_equal(vm_qemu_caps_machine(c, "isapc", &m, &err), -1);
	assert_int_equal(err.kind, VM_UNSUPPORTED);
	assert_string_equal(err.msg, "/usr/bin/q 7.2.22 has no machine isapc");
	assert_true(vm_qemu_caps_cpu_at(c, 1, &cpu));
	assert_string_equal(cpu.alias_of, "base-v1");
	assert_true(cpu.is_static && !cpu.migration_safe);
	assert_false(vm_qemu_caps_cpu_at(c, 2, &cpu));
}

/* ---- the binary ---- */

static void test_emulator_errors(void **state)
{
	VM_AUTO_FREE char *path = NULL;
	struct vm_err err = VM_ERR_INIT;
	const char *plain;

	(void)state;
	assert_int_equal(vm_qemu_emulator(NULL, "/nonexistent/qemu", "x86_64", &path, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/nonexistent/qemu"));
	assert_int_equal(vm_qemu_emulator(NULL, NULL, "pdp11", &path, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "emulator qemu-system-pdp11: not in PATH");
	assert_int_equal(vm_qemu_emulator(NULL, "bin/qemu", "x86_64", &path, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_int_equal(vm_qemu_emulator(NULL, "/tmp", "x86_64", &path, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	plain = script("plain", "");
	chmod(plain, 0644);
	assert_int_equal(vm_qemu_emulator(NULL, plain, "x86_64", &path, &err), -1);
	assert_int_equal(err.kind, VM_DENIED);
	assert_non_null(strstr(err.hint, "chmod +x"));
	assert_null(path);
}

/* An unprivileged caller learns which directory bars the way. */
static void test_emulator_blocked(void **state)
{
	char dir[64], path[96];
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(dir, sizeof(dir), "%s/closed", scratch_root);
	snprintf(path, sizeof(path), "%s/closed/qemu", scratch_root);
	chmod(scratch_root, 0755);
	mkdir(dir, 0700);
	script("closed/qemu", "#!/bin/sh\n");
	pid = child_fork();
	if (pid == 0) {
		struct vm_err err = VM_ERR_INIT;
		char *found;

		if (setgid(65534) < 0 || setuid(65534) < 0 ||
		    vm_qemu_emulator(NULL, path, "x86_64", &found, &err) == 0)
			_exit(1);
		_exit(err.kind == VM_DENIED && strstr(err.msg, dir) != NULL &&
			      strstr(err.msg, "cannot be searched") != NULL
			  ? 0
			  : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_probe_errors(void **state)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = NULL;
	struct vm_err err = VM_ERR_INIT;
	uint64_t before = vm_now_ms();
	const char *path;

	(void)state;
	path = script("dies", "#!/bin/sh\necho one >&2\necho two >&2\nexit 3\n");
	assert_int_equal(vm_qemu_caps_get(&places, path, vm_deadline_in(20000), &c, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_non_null(strstr(err.msg, "/dies: ended with status 3: two"));
	path = script("killed", "#!/bin/sh\nkill -9 $$\n");
	assert_int_equal(vm_qemu_caps_get(&places, path, vm_deadline_in(20000), &c, &err), -1);
	assert_non_null(strstr(err.msg, "died of signal 9"));
	path = script("hangs", "#!/bin/sh\nexec sleep 60\n");
	assert_int_equal(vm_qemu_caps_get(&places, path, vm_deadline_in(100), &c, &err), -1);
	assert_int_equal(err.kind, VM_TIMED_OUT);
	assert_non_null(strstr(err.msg, "/hangs: does not answer"));
	path = script("no-qemu", "#!/bin/sh\necho hello >&3\nexec sleep 60\n");
	assert_int_equal(vm_qemu_caps_get(&places, path, vm_deadline_in(40000), &c, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_in_range(vm_now_ms() - before, 0, 30000);
	assert_null(c);
}

static int runs(void)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err err = VM_ERR_INIT;
	char path[64];
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/runs", scratch_root);
	if (vm_file_read(AT_FDCWD, path, 4096, &text, &len, NULL, &err) < 0)
		return 0;
	return (int)len / 4;
}

#define HELLO                                                                                      \
	"{\"QMP\":{\"version\":{\"qemu\":{\"micro\":1,\"minor\":2,\"major\":9}},\"capabilities\":" \
	"[]}}\n"                                                                                   \
	"{\"return\":{},\"id\":1}\n"

/* A false emulator: hears all questions, then replies, and counts how often it ran. */
static const char *answers =
    "{\"return\":{\"qemu\":{\"micro\":1,\"minor\":2,\"major\":9},\"package\":\"\"},\"id\":2}\n"
    "{\"return\":{\"arch\":\"x86_64\"},\"id\":3}\n"
    "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no\"},\"id\":4}\n"
    "{\"return\":[\"tpm-tis\",\"bad name\",7],\"id\":5}\n"
    "{\"return\":[{\"name\":\"m\",\"cpu-max\":4,\"is-default\":true},{\"name\":\"evil "
    "name\"},3],\"id\":6}\n"
    "{\"return\":[{\"name\":\"host\"}],\"id\":7}\n"
    "{\"return\":[{\"name\":\"virtio-blk-pci\"},{\"name\":\"a\\nkvm=yes\"},{\"name\":\"m-machine\"}"
    ","
    "{\"name\":\"virtio-scsi-pci\"}],\"id\":8}\n"
    "{\"return\":[{\"option\":\"sandbox\",\"parameters\":[{\"name\":\"spawn\"}]}],\"id\":9}\n"
    "{\"return\":[{\"name\":\"cont\",\"meta-type\":\"command\"}],\"id\":10}\n";

static const char *replay(const char *dies_at_second)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf t = VM_STRBUF_INIT;
	size_t n = 0;

	while (vm_qemu_caps_devices[n] != NULL)
		n++;
	vm_strbuf_printf(
	    &t,
	    "#!/bin/sh\nhear() { i=0; while [ $i -lt $1 ]; do read -r line <&3; i=$((i+1)); done; "
	    "}\n"
	    "echo run >>%s/runs\ntest \"$(wc -l <%s/runs)\" -gt 2 && exit 1\n"
	    "printf '%%s' '%s' >&3\nhear 10\nprintf '%%s' '%s' >&3\nhear %zu\n"
	    "echo '{\"return\":[{\"name\":\"p\"}],\"id\":11}' >&3\n%s\ni=1\n"
	    "while [ $i -lt %zu ]; do echo '{\"error\":{\"class\":\"x\",\"desc\":\"\"},\"id\":'"
	    "$((i+11))'}'; i=$((i+1)); done >&3\nread -r line <&3\n",
	    scratch_root, scratch_root, HELLO, answers, n, dies_at_second, n);
	return script("replay", t.text);
}

static void test_replay(void **state)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = NULL;
	struct vm_err err = VM_ERR_INIT;
	const char *path = replay("");

	(void)state;
	for (int round = 0; round < 2; round++) {
		vm_qemu_caps_free(&c);
		if (vm_qemu_caps_get(&places, path, vm_deadline_in(5000), &c, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(vm_qemu_caps_version(c), "9.2.1");
		assert_false(vm_qemu_caps_has(c, "kvm"));
		assert_true(vm_qemu_caps_has(c, "tpm:tpm-tis"));
		assert_true(vm_qemu_caps_has(c, "device:virtio-blk-pci.p"));
		assert_true(vm_qemu_caps_has(c, "type:virtio-scsi-pci"));
		assert_true(vm_qemu_caps_has(c, "option:sandbox.spawn"));
		assert_false(vm_qemu_caps_has(c, "type:m-machine"));
		assert_true(vm_qemu_caps_has(c, "machine:m"));
		assert_int_equal(runs(), 1);
	}
	/* Another binary in its place is asked anew.  This one ends when it is asked about the
	 * second device, and about the first one of each further run. */
	unlink(path);
	path = replay("exit 1");
	vm_qemu_caps_free(&c);
	assert_int_equal(vm_qemu_caps_get(&places, path, vm_deadline_in(20000), &c, &err), -1);
	assert_int_equal(err.kind, VM_HYPERVISOR);
	assert_in_range(runs(), 3, 20);
}

static void test_damaged_cache(void **state)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = NULL;
	struct vm_err err = VM_ERR_INIT;
	VM_AUTO_FD int dir = vm_qemu_caps_dir(&places, true);
	char file[32];

	(void)state;
	vm_qemu_caps_file("/bin/true", file);
	assert_int_equal(vm_qemu_caps_cached(&places, "/bin/true", &c, &err), 1);
	assert_int_equal(vm_file_write(dir, file, "vm-qemu-caps 1\nrubbish", 22, 0644, &err), 0);
	assert_int_equal(vm_qemu_caps_cached(&places, "/bin/true", &c, &err), 1);
	assert_int_equal(vm_file_write(dir, file, "vm-qemu-caps 1\n", 15, 0644, &err), 0);
	assert_int_equal(vm_qemu_caps_cached(&places, "/bin/true", &c, &err), 1);
	assert_int_equal(vm_qemu_caps_cached(&places, "/nonexistent", &c, &err), -1);
}

static void test_real(void **state)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = NULL;
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *again = NULL;
	struct vm_err err = VM_ERR_INIT;
	struct vm_qemu_machine m;
	uint64_t before;

	(void)state;
	if (access(QEMU, X_OK) < 0)
		skip();
	if (vm_qemu_caps_get(&places, QEMU, vm_deadline_in(20000), &c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(vm_qemu_caps_has(c, "type:virtio-net-pci"));
	assert_true(vm_qemu_caps_has(c, "device:virtio-blk-pci.queue-size"));
	assert_true(vm_qemu_caps_has(c, "command:set-action"));
	assert_true(vm_qemu_caps_has(c, "schema:device-json"));
	assert_true(vm_qemu_caps_has(c, "cpu:max"));
	assert_int_equal(vm_qemu_caps_machine(c, "q35", &m, &err), 0);
	assert_int_equal(strncmp(m.name, "pc-q35-", 7), 0);
	before = vm_now_ms();
	assert_int_equal(vm_qemu_caps_cached(&places, QEMU, &again, &err), 0);
	assert_in_range(vm_now_ms() - before, 0, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_schema),
	    cmocka_unit_test(test_has),
	    cmocka_unit_test(test_machines),
	    cmocka_unit_test(test_emulator_errors),
	    cmocka_unit_test(test_emulator_blocked),
	    cmocka_unit_test(test_probe_errors),
	    cmocka_unit_test(test_replay),
	    cmocka_unit_test(test_damaged_cache),
	    cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
