/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/deadline.h>
#include <vm/log.h>
#include <vm/strbuf.h>

static void sink(enum vm_log_level level, const char *text, void *arg)
{
	vm_strbuf_printf(arg, "%d:%s;", (int)level, text);
	errno = EDOM;
}

static void steps(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	(void)state;
	vm_log_step("nobody %s", "listens");
	vm_log_set_sink(sink, &b);
	errno = ENOENT;
	vm_log_step("bind %d", 1);
	assert_int_equal(errno, ENOENT);
	vm_log_warning("careful");
	vm_log_set_sink(NULL, NULL);
	vm_log_step("gone");
	assert_string_equal(b.text, "1:bind 1;2:careful;");
}

/* One line to syslog; without a listener, or with one that is stuck, nothing happens and nobody waits. */
static void audit(void **state)
{
	char root[] = "/tmp/vmt-log-XXXXXX", path[64], line[1024], *rest;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uint64_t start = vm_now_ms();
	ssize_t n;
	int fd, i;

	(void)state;
	assert_non_null(mkdtemp(root));
	setenv("VM_ROOT", root, 1);
	setenv("SUDO_USER", "eve\"\n", 1);
	vm_program_name = "vm-start";
	vm_log_audit("web1", NULL, 0, 5);
	snprintf(path, sizeof(path), "%s/dev", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/dev/log", root);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	vm_log_audit("we\nb \"1\"", "x", 13, 57);
	n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	line[n] = '\0';
	assert_memory_equal(line, "<85>", 4);
	rest = strstr(line, " vm-start[");
	assert_non_null(rest);
	assert_int_equal(rest - line, 4 + 15); /* "Mmm dd hh:mm:ss" */
	rest = strstr(rest, "]: ");
	assert_non_null(rest);
	assert_memory_equal(rest + 3, "uid=", 4);
	assert_non_null(strstr(rest, " loginuid="));
	rest = strstr(rest, " sudo_user=");
	assert_string_equal(rest, " sudo_user=\"eve\\x22\\x0a\" object=\"we\\x0ab \\x221\\x22\" what=\"x\" "
				  "status=13 ms=57");
	for (i = 0; i < 2000; i++)
		vm_log_audit("web1", NULL, 0, 5);
	assert_true(vm_now_ms() - start < 20000);
	close(fd);
	unlink(sun.sun_path);
	rmdir(path);
	rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(steps), cmocka_unit_test(audit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
