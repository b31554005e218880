/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <inttypes.h>

#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/strbuf.h>

const char *vm_program_name;

static vm_log_sink *log_sink;
static void *log_arg;

const char *vm_program(void)
{
	return vm_program_name ? vm_program_name : program_invocation_short_name;
}

void vm_log_set_sink(vm_log_sink *sink, void *arg)
{
	log_sink = sink;
	log_arg = arg;
}

__attribute__((format(printf, 2, 0))) static void emit(enum vm_log_level level, const char *fmt,
						       va_list ap)
{
	int saved = errno;
	char text[1024];

	if (log_sink) {
		vsnprintf(text, sizeof(text), fmt, ap);
		log_sink(level, text, log_arg);
	}
	errno = saved;
}

void vm_log_step(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(VM_LOG_STEP, fmt, ap);
	va_end(ap);
}

void vm_log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(VM_LOG_WARNING, fmt, ap);
	va_end(ap);
}

/* name="value" with what would end the field escaped. */
static void field(struct vm_strbuf *b, const char *name, const char *value)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf safe = VM_STRBUF_INIT;
	const char *p;

	vm_strbuf_escape(&safe, value);
	vm_strbuf_printf(b, " %s=\"", name);
	for (p = safe.text; *p; p++) {
		if (*p == '"')
			vm_strbuf_puts(b, "\\x22");
		else
			vm_strbuf_putc(b, *p);
	}
	vm_strbuf_putc(b, '"');
}

/* As syslog(3) would, but a stuck daemon must not stop us: the socket does not block. */
static void send_syslog(const struct vm_strbuf *b)
{
	VM_AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *root = secure_getenv("VM_ROOT");
	int n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s%s", root ? root : "", _PATH_LOG);

	if (fd < 0 || n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return;
	(void)sendto(fd, b->text, b->len, MSG_NOSIGNAL, (struct sockaddr *)&sun, sizeof(sun));
}

void vm_log_audit(const char *object, const char *what, int status, uint64_t ms)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const char *sudo_user = getenv("SUDO_USER");
	int saved = errno;
	uint32_t login = vm_proc_loginuid();
	char stamp[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	/* Source: RFC 3164, 4.1: <priority>timestamp tag[pid]: text */
	vm_strbuf_printf(&b, "<%d>%s %s[%d]: uid=%u", LOG_AUTHPRIV | LOG_NOTICE, stamp,
			 vm_program(), (int)getpid(), getuid());
	if (login == UINT32_MAX)
		vm_strbuf_puts(&b, " loginuid=-");
	else
		vm_strbuf_printf(&b, " loginuid=%" PRIu32, login);
	if (sudo_user && strlen(sudo_user) <= 64)
		field(&b, "sudo_user", sudo_user);
	if (object && *object)
		field(&b, "object", object);
	if (what && *what)
		field(&b, "what", what);
	vm_strbuf_printf(&b, " status=%d ms=%" PRIu64, status, ms);
	send_syslog(&b);
	errno = saved;
}
