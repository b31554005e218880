/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/json.h>
#include <vm/out.h>

#include "child.h"

static const struct vm_out_column columns[] = { { "id", "ID" }, { "state", "STATE" }, { "name", "NAME" } };
static const struct vm_out_column bare[] = { { "name", NULL } };
static const struct vm_out_column nested[] = { { "addr.bus", "BUS" }, { "reset", "RESET" } };

static void guest(struct vm_out *o, uint64_t id, const char *state, const char *name)
{
	vm_out_row(o);
	vm_out_str(o, "name", name);
	if (id)
		vm_out_u64(o, "id", id);
	else
		vm_out_null(o, "id");
	vm_out_str(o, "state", state);
	vm_out_bool(o, "persistent", true);
	vm_out_row_end(o);
}

static void table_body(struct vm_out *o)
{
	vm_out_u64(o, "total", 2);
	vm_out_array(o, "guests", columns, 3);
	guest(o, 12, "running", "web\t1\xc3\xa9");
	guest(o, 0, "shutoff", "");
	vm_out_array_end(o);
}

static void bare_body(struct vm_out *o)
{
	vm_out_array(o, "guests", bare, 1);
	guest(o, 12, "running", "a");
	guest(o, 0, "shutoff", "db 1");
	vm_out_array_end(o);
}

static void empty_body(struct vm_out *o)
{
	vm_out_array(o, "guests", columns, 3);
	vm_out_array_end(o);
}

static void keys_body(struct vm_out *o)
{
	vm_out_str(o, "name", "web1");
	vm_out_i64(o, "offset", -5);
	vm_out_u64_as(o, "memory_bytes", 4096, "4KiB");
	vm_out_list(o, "confinement");
	vm_out_str(o, NULL, "seccomp");
	vm_out_u64(o, NULL, 7);
	vm_out_list_end(o);
	vm_out_list(o, "none");
	vm_out_list_end(o);
	vm_out_object(o, "host");
	vm_out_bool(o, "kvm", false);
	vm_out_object(o, "cpu");
	vm_out_null(o, "model");
	vm_out_object_end(o);
	vm_out_object_end(o);
	vm_out_raw(o, "raw", "{\n\"a\": 1}");
	vm_out_array(o, "hostdevs", nested, 2);
	vm_out_row(o);
	vm_out_object(o, "addr");
	vm_out_u64(o, "bus", 3);
	vm_out_object_end(o);
	vm_out_list(o, "reset");
	vm_out_str(o, NULL, "flr");
	vm_out_str(o, NULL, "bus");
	vm_out_list_end(o);
	vm_out_array(o, "deep", columns, 3);
	guest(o, 1, "x", "y");
	vm_out_array_end(o);
	vm_out_row_end(o);
	vm_out_array_end(o);
	vm_out_text(o, "one\\ %s", "two\x1b\nthree");
}

static void quiet_body(struct vm_out *o)
{
	keys_body(o);
	table_body(o);
	vm_out_raw(o, "reply", "[1,\n2]");
}

static void lines_body(struct vm_out *o)
{
	vm_out_u64(o, "seq", 1);
	vm_out_next(o);
	vm_out_u64(o, "seq", 2);
	vm_out_next(o);
}

static void nothing_body(struct vm_out *o)
{
	(void)o;
}

#define DEEP_JSON                                                                                  \
	"\"name\":\"web1\",\"offset\":-5,\"memory_bytes\":4096,\"confinement\":[\"seccomp\",7],"     \
	"\"none\":[],\"host\":{\"kvm\":false,\"cpu\":{\"model\":null}},\"raw\":{ \"a\": 1},"         \
	"\"hostdevs\":[{\"addr\":{\"bus\":3},\"reset\":[\"flr\",\"bus\"],\"deep\":[{\"name\":\"y\"," \
	"\"id\":1,\"state\":\"x\",\"persistent\":true}]}]"
#define TABLE_JSON                                                                                 \
	"\"guests\":[{\"name\":\"web\\t1\xc3\xa9\",\"id\":12,\"state\":\"running\",\"persistent\":"   \
	"true},{\"name\":\"\",\"id\":null,\"state\":\"shutoff\",\"persistent\":true}]"

static const struct {
	void (*body)(struct vm_out *o);
	enum vm_out_form form;
	const char *pipe, *terminal, *json;
} rows[] = {
	{ table_body, VM_OUT_TABLE, "12\trunning\tweb\\x091\xc3\xa9\n-\tshutoff\t-\n",
	  "ID  STATE    NAME\n12  running  web\\x091\xc3\xa9\n-   shutoff  -\n",
	  "{\"schema\":\"t/1\",\"total\":2," TABLE_JSON "}\n" },
	{ bare_body, VM_OUT_TABLE, "a\ndb 1\n", "a\ndb 1\n",
	  "{\"schema\":\"t/1\",\"guests\":[{\"name\":\"a\",\"id\":12,\"state\":\"running\","
	  "\"persistent\":true},{\"name\":\"db 1\",\"id\":null,\"state\":\"shutoff\",\"persistent\":true}]}\n" },
	{ empty_body, VM_OUT_TABLE, "", "ID  STATE  NAME\n", "{\"schema\":\"t/1\",\"guests\":[]}\n" },
	{ keys_body, VM_OUT_KEYS,
	  "name\tweb1\noffset\t-5\nmemory_bytes\t4KiB\nconfinement\tseccomp,7\nnone\t-\nhost.kvm\tno\n"
	  "host.cpu.model\t-\nraw\t{ \"a\": 1}\n3\tflr,bus\none\\ two\\x1b\nthree\n",
	  "KEY             VALUE\nname            web1\noffset          -5\nmemory_bytes    4KiB\n"
	  "confinement     seccomp,7\nnone            -\nhost.kvm        no\nhost.cpu.model  -\n"
	  "raw             { \"a\": 1}\nBUS  RESET\n3    flr,bus\none\\ two\\x1b\nthree\n",
	  "{\"schema\":\"t/1\"," DEEP_JSON "}\n" },
	{ quiet_body, VM_OUT_QUIET, "{\n\"a\": 1}\none\\ two\\x1b\nthree\n[1,\n2]\n",
	  "{\n\"a\": 1}\none\\ two\\x1b\nthree\n[1,\n2]\n",
	  "{\"schema\":\"t/1\"," DEEP_JSON ",\"total\":2," TABLE_JSON ",\"reply\":[1, 2]}\n" },
	{ lines_body, VM_OUT_KEYS, "seq\t1\nseq\t2\n", "KEY  VALUE\nseq  1\nKEY  VALUE\nseq  2\n",
	  "{\"schema\":\"t/1\",\"seq\":1}\n{\"schema\":\"t/1\",\"seq\":2}\n" },
	{ nothing_body, VM_OUT_TABLE, "", "", "{\"schema\":\"t/1\"}\n" },
};

static void print(void (*body)(struct vm_out *), enum vm_out_form form, bool json, bool table,
		  const char *only, int want, struct vm_err *err, char **ret)
{
	size_t size;
	FILE *fp = open_memstream(ret, &size);
	struct vm_out *o = vm_out_open(fp, form, "t/1", json, table);

	*err = VM_ERR_INIT;
	if (only)
		vm_out_only(o, only);
	body(o);
	assert_int_equal(vm_out_close(o, err), want);
	fclose(fp);
}

static void forms(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		struct vm_err err;
		char *text;

		print(rows[i].body, rows[i].form, false, false, NULL, 0, &err, &text);
		assert_string_equal(text, rows[i].pipe);
		free(text);
		print(rows[i].body, rows[i].form, false, true, NULL, 0, &err, &text);
		assert_string_equal(text, rows[i].terminal);
		free(text);
		print(rows[i].body, rows[i].form, true, false, NULL, 0, &err, &text);
		assert_string_equal(text, rows[i].json);
		assert_true(i == 5 || vm_json_valid(text, strlen(text)));
		free(text);
	}
}

static void several_body(struct vm_out *o)
{
	vm_out_str(o, "name", "web1");
	vm_out_repeats(o, "problem");
	vm_out_repeats(o, "process");
	vm_out_str(o, "problem", "one\ttab");
	vm_out_str(o, "problem", NULL);
}

/* Of what there can be several all are printed, and none is no error. */
static void only_several(void **state)
{
	struct vm_err err;
	char *text;

	(void)state;
	print(several_body, VM_OUT_KEYS, false, false, "problem,name,process", 0, &err, &text);
	assert_string_equal(text, "one\\x09tab\n-\nweb1\n");
	free(text);
	print(several_body, VM_OUT_KEYS, false, false, "process", 0, &err, &text);
	assert_string_equal(text, "");
	free(text);
	print(several_body, VM_OUT_KEYS, false, false, "processes", -1, &err, &text);
	assert_string_equal(err.msg, "there is no key 'processes'");
	free(text);
}

static void only(void **state)
{
	struct vm_err err;
	char *text;

	(void)state;
	print(keys_body, VM_OUT_KEYS, false, true, "host.kvm,name,confinement,none,name", 0, &err, &text);
	assert_string_equal(text, "no\nweb1\nseccomp,7\n-\nweb1\n");
	free(text);
	print(keys_body, VM_OUT_KEYS, false, false, "name,nonsense", -1, &err, &text);
	assert_string_equal(text, "");
	assert_int_equal(err.kind, VM_USAGE);
	assert_string_equal(err.msg, "there is no key 'nonsense'");
	free(text);
	print(keys_body, VM_OUT_KEYS, true, false, "name,confinement", 0, &err, &text);
	assert_string_equal(text, "{\"schema\":\"t/1\"," DEEP_JSON "}\n");
	free(text);
	print(keys_body, VM_OUT_KEYS, true, false, "bogus", -1, &err, &text);
	assert_string_equal(text, "");
	free(text);
}

static void dropped(void **state)
{
	char *text;
	size_t size;
	FILE *fp = open_memstream(&text, &size);
	struct vm_out *o = vm_out_open(fp, VM_OUT_TABLE, "t/1", false, true);

	(void)state;
	vm_out_array(o, "guests", columns, 3);
	vm_out_row(o);
	vm_out_str(o, "name", "x");
	vm_out_drop(o); /* from the middle */
	vm_out_drop(NULL);
	assert_int_equal(vm_out_close(NULL, &(struct vm_err){ 0 }), 0);
	fclose(fp);
	assert_int_equal(size, 0);
	free(text);
}

static void full(void **state)
{
	FILE *fp = fopen("/dev/full", "w");
	struct vm_out *o = vm_out_open(fp, VM_OUT_KEYS, NULL, false, false);
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	vm_out_u64(o, "a", 1);
	assert_false(vm_out_failed(o));
	vm_out_next(o);
	assert_true(vm_out_failed(o));
	assert_int_equal(vm_out_close(o, &err), -1);
	assert_int_equal(err.kind, VM_SYSTEM);
	assert_string_equal(err.msg, "write output: No space left on device");
	o = vm_out_open(fp, VM_OUT_KEYS, NULL, true, false);
	assert_int_equal(vm_out_close(o, &err), -1);
	fclose(fp);
}

/* A reader that goes away kills us by SIGPIPE, though it is ignored or blocked. */
static void broken_pipe(void **state)
{
	int fds[2], status, i;

	(void)state;
	for (i = 0; i < 2; i++) {
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		close(fds[0]);
		pid = child_fork();
		if (pid == 0) {
			FILE *fp = fdopen(fds[1], "w");
			struct vm_out *o = vm_out_open(fp, VM_OUT_KEYS, NULL, true, false);
			struct vm_err err;
			sigset_t set;

			if (i == 0) {
				signal(SIGPIPE, SIG_IGN);
			} else {
				sigemptyset(&set);
				sigaddset(&set, SIGPIPE);
				sigprocmask(SIG_BLOCK, &set, NULL);
			}
			vm_out_close(o, &err);
			_exit(3);
		}
		close(fds[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGPIPE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms), cmocka_unit_test(only), cmocka_unit_test(only_several),	cmocka_unit_test(dropped),
		cmocka_unit_test(full),	 cmocka_unit_test(broken_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
