/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>
#include <vm/uri.h>

#include "child.h"

static void parts(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "qemu:///system", "qemu - - - 0 /system - no" },
		{ "qemu:///session", "qemu - - - 0 /session - yes" },
		{ "lxc:///", "lxc - - - 0 / - no" },
		{ "qemu+ssh://root@host-1.example:2222/system?a=b/c",
		  "qemu ssh root host-1.example 2222 /system a=b/c no" },
		{ "qemu+ssh://[fe80::1%eth0]/system", "qemu ssh - fe80::1%eth0 0 /system - no" },
		{ "qemu+ssh://[::1]:22/session", "qemu ssh - ::1 22 /session - yes" },
		{ "esx://host/?no_verify=1", "esx - - host 0 / no_verify=1 no" },
		{ "esx://host", "esx - - host 0 - - no" },
		{ "vpx://DOM\\admin@host/dc", "vpx - DOM\\admin host 0 /dc - no" },
		{ "hyperv://host?", "hyperv - - host 0 - - no" },
	};
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO(vm_uri_free) struct vm_uri u = VM_URI_INIT;
		char got[256];
#define DASH(s) ((s) ? (s) : "-")
		assert_int_equal(vm_uri_parse(rows[i].text, &u, &err), 0);
		snprintf(got, sizeof(got), "%s %s %s %s %d %s %s %s", u.driver, DASH(u.transport),
			 DASH(u.user), DASH(u.host), u.port, DASH(u.path), DASH(u.query),
			 u.session ? "yes" : "no");
		assert_string_equal(got, rows[i].want);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *text;
		enum vm_kind kind;
		const char *why;
	} rows[] = {
		{ "qemu", VM_USAGE, "\"://\" is missing" },
		{ "://x", VM_USAGE, "the driver" },
		{ "Qemu:///system", VM_USAGE, "the driver" },
		{ "qemu+:///system", VM_USAGE, "the transport" },
		{ "qemu+tcp://h/system", VM_UNSUPPORTED, "the transport 'tcp' is not supported" },
		{ "qemu+ssh:///system", VM_USAGE, "the host is missing" },
		{ "qemu://host/system", VM_UNSUPPORTED, "reached over ssh" },
		{ "qemu:///", VM_USAGE, "qemu has /system and /session" },
		{ "qemu:///System", VM_USAGE, "qemu has /system and /session" },
		{ "qemu+ssh://-oProxyCommand=x/system", VM_USAGE, "the host is malformed" },
		{ "qemu+ssh://-l@host/system", VM_USAGE, "the user is malformed" },
		{ "qemu+ssh://a b@host/system", VM_USAGE, "a space or a control character" },
		{ "qemu+ssh://h;id/system", VM_USAGE, "the host is malformed" },
		{ "qemu+ssh://@h/system", VM_USAGE, "the user is malformed" },
		{ "qemu+ssh://h:/system", VM_USAGE, "the port" },
		{ "qemu+ssh://h:0/system", VM_USAGE, "the port" },
		{ "qemu+ssh://h:65536/system", VM_USAGE, "the port" },
		{ "qemu+ssh://h: 1/system", VM_USAGE, "a space" },
		{ "qemu+ssh://h:1x/system", VM_USAGE, "the port" },
		{ "qemu+ssh://[::1/system", VM_USAGE, "the address in []" },
		{ "qemu+ssh://[]/system", VM_USAGE, "the address in []" },
		{ "qemu+ssh://[-x]/system", VM_USAGE, "the address in []" },
		{ "qemu+ssh://[::1]x/system", VM_USAGE, "the address in []" },
		{ "qemu:///system\n", VM_USAGE, "a space or a control character" },
	};
	struct vm_uri u = VM_URI_INIT;
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		assert_int_equal(vm_uri_parse(rows[i].text, &u, &err), -1);
		assert_int_equal(err.kind, rows[i].kind);
		if (!strstr(err.msg, rows[i].why))
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_null(u.driver);
	}
}

static void by_default(void **state)
{
	struct vm_uri u = VM_URI_INIT;
	struct vm_err err;

	(void)state;
	unsetenv("VM_CONNECT");
	assert_int_equal(vm_uri_parse(NULL, &u, &err), 0);
	assert_string_equal(u.driver, "qemu");
	assert_int_equal(u.session, geteuid() != 0);
	vm_uri_free(&u);
	setenv("VM_CONNECT", "lxc:///", 1);
	assert_int_equal(vm_uri_parse(NULL, &u, &err), 0);
	assert_string_equal(u.driver, "lxc");
	vm_uri_free(&u);
	setenv("VM_CONNECT", "bogus", 1);
	assert_int_equal(vm_uri_parse(NULL, &u, &err), -1);
	assert_string_equal(err.msg, "VM_CONNECT: 'bogus' is no connection URI: \"://\" is missing");
	setenv("VM_CONNECT", "", 1);
	assert_int_equal(vm_uri_parse(NULL, &u, &err), 0);
	vm_uri_free(&u);
	unsetenv("VM_CONNECT");
}

/* A stand-in for ssh in PATH writes down what it was given. */
static void over_ssh(void **state)
{
	static const char fake[] = "#!/bin/sh\nfor a; do printf '[%s]' \"$a\"; done >\"$0.args\"\n"
				   "cat >\"$0.stdin\"\n";
	static const char *const argv[] = { "vm-define", "--verbose", "--", "a b'c", "-", NULL };
	char root[] = "/tmp/vmt-uri-XXXXXX";
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *input = NULL;
	struct vm_err err;
	int dir, status, tmp = open("/tmp", O_PATH | O_CLOEXEC);
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(vm_file_write_volatile(dir, "ssh", fake, sizeof(fake) - 1, 0755, &err), 0);
	assert_int_equal(vm_file_write_volatile(dir, "doc", "<domain/>", 9, 0644, &err), 0);
	pid = child_fork();
	if (pid == 0) {
		struct vm_uri u = VM_URI_INIT;
		struct vm_uri_command cmd = { .argv = argv, .stdin_file = "doc", .timeout_ms = 1500 };
		char path[64];

		snprintf(path, sizeof(path), "%s:/bin:/usr/bin", root);
		setenv("PATH", path, 1);
		if (chdir(root) < 0 ||
		    vm_uri_parse("qemu+ssh://adm@[::1]:2222/session", &u, &err) < 0)
			_exit(1);
		vm_uri_exec_remote(&u, &cmd, &err);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(vm_file_read(dir, "ssh.args", 1000, &text, NULL, NULL, &err), 0);
	assert_string_equal(text, "[-oConnectTimeout=2][-p2222][-T][--][adm@::1]"
				  "[vm-define --connect=qemu:///session --verbose -- 'a b'\\''c' -]");
	assert_int_equal(vm_file_read(dir, "ssh.stdin", 1000, &input, NULL, NULL, &err), 0);
	assert_string_equal(input, "<domain/>");
	close(dir);
	assert_int_equal(vm_tree_remove(tmp, root + 5, &err), 0);
	close(tmp);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parts), cmocka_unit_test(refusals),
					    cmocka_unit_test(by_default), cmocka_unit_test(over_ssh) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
