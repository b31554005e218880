/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/uri.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#define URI_MAX 1024

void vm_uri_free(struct vm_uri *u)
{
	free(u->driver);
	free(u->transport);
	free(u->user);
	free(u->host);
	free(u->path);
	free(u->query);
	*u = VM_URI_INIT;
}

static int bad(const char *text, const char *why, struct vm_err *err)
{
	vm_err_set(err, VM_USAGE, "'%.200s' is no connection URI: %s", text, why);
	return vm_err_hint(err, "write one like qemu:///system or qemu+ssh://user@host/system");
}

/* What may stand in a host or a user: nothing that ssh or a shell would take for something else. */
static bool plain_word(const char *s, const char *more)
{
	return *s && *s != '-' && vm_text_only(s, more);
}

static int parse_scheme(const char *text, const char *end, struct vm_uri *u, struct vm_err *err)
{
	const char *c;
	char *plus;

	u->driver = vm_xstrndup(text, (size_t)(end - text));
	plus = strchr(u->driver, '+');
	if (plus) {
		u->transport = vm_xstrdup(plus + 1);
		*plus = '\0';
		if (!plain_word(u->transport, ""))
			return bad(text, "the transport after '+' is missing or malformed", err);
	}
	for (c = u->driver; (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'); c++)
		;
	if (!*u->driver || *c)
		return bad(text, "the driver before \"://\" is missing or malformed", err);
	return 0;
}

static int parse_port(const char *text, const char *port, struct vm_uri *u, struct vm_err *err)
{
	long n;
	char *end;

	errno = 0;
	n = strtol(port, &end, 10);
	if (*port < '0' || *port > '9' || errno || *end || n < 1 || n > 65535)
		return bad(text, "the port is not from 1 to 65535", err);
	u->port = (int)n;
	return 0;
}

/* [USER@][HOST][:PORT] */
static int parse_authority(const char *text, char *auth, struct vm_uri *u, struct vm_err *err)
{
	char *at = strrchr(auth, '@'), *host = at ? at + 1 : auth, *colon, *close;

	if (at) {
		*at = '\0';
		u->user = vm_xstrdup(auth);
		if (!plain_word(u->user, "._-\\+$"))
			return bad(text, "the user is malformed", err);
	}
	if (*host == '[') {
		close = strchr(host, ']');
		if (!close || (close[1] && close[1] != ':'))
			return bad(text, "the address in [] is malformed", err);
		colon = close[1] ? close + 1 : NULL;
		*close = '\0';
		host++;
		if (!plain_word(host, ":.%"))
			return bad(text, "the address in [] is malformed", err);
	} else {
		colon = strchr(host, ':');
		if (colon)
			*colon = '\0';
		if (*host && !plain_word(host, "._-"))
			return bad(text, "the host is malformed", err);
	}
	if (*host)
		u->host = vm_xstrdup(host);
	if ((at || colon) && !*host)
		return bad(text, "the host is missing", err);
	return colon ? parse_port(text, colon + 1, u, err) : 0;
}

static int parse(const char *text, struct vm_uri *u, struct vm_err *err)
{
	VM_AUTO_FREE char *auth = NULL;
	const char *sep = strstr(text, "://"), *slash, *query, *p;

	if (strlen(text) > URI_MAX)
		return bad(text, "it is too long", err);
	for (p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return bad(text, "it has a space or a control character", err);
	if (!sep)
		return bad(text, "\"://\" is missing", err);
	if (parse_scheme(text, sep, u, err) < 0)
		return -1;
	sep += 3;
	query = strchr(sep, '?');
	if (query && query[1])
		u->query = vm_xstrdup(query + 1);
	p = query ? query : sep + strlen(sep);
	slash = memchr(sep, '/', (size_t)(p - sep));
	auth = vm_xstrndup(sep, (size_t)((slash ? slash : p) - sep));
	if (parse_authority(text, auth, u, err) < 0)
		return -1;
	if (slash)
		u->path = vm_xstrndup(slash, (size_t)(p - slash));
	u->session = u->path && strcmp(u->path, "/session") == 0;
	if (u->transport && strcmp(u->transport, "ssh") != 0) {
		vm_err_set(err, VM_UNSUPPORTED, "'%s': the transport '%s' is not supported", text,
			   u->transport);
		return vm_err_hint(err, "use %s+ssh://", u->driver);
	}
	if (u->transport && !u->host)
		return bad(text, "the host is missing", err);
	if (!u->transport && u->host && strcmp(u->driver, "qemu") == 0) {
		vm_err_set(err, VM_UNSUPPORTED, "'%s': a remote QEMU host is reached over ssh", text);
		return vm_err_hint(err, "use qemu+ssh://%s%s", u->host, u->path ? u->path : "/system");
	}
	if (strcmp(u->driver, "qemu") == 0 && (!u->path || (strcmp(u->path, "/system") != 0 &&
							    strcmp(u->path, "/session") != 0)))
		return bad(text, "qemu has /system and /session", err);
	return 0;
}

int vm_uri_parse(const char *text, struct vm_uri *ret, struct vm_err *err)
{
	VM_AUTO(vm_uri_free) struct vm_uri u = VM_URI_INIT;
	bool from_env = false;

	if (!text) {
		text = getenv("VM_CONNECT");
		from_env = text && *text;
	}
	if (!text || !*text)
		text = geteuid() == 0 ? "qemu:///system" : "qemu:///session";
	if (parse(text, &u, err) < 0)
		return from_env ? vm_err_wrap(err, "VM_CONNECT") : -1;
	*ret = u;
	u = VM_URI_INIT;
	return 0;
}

int vm_uri_exec_remote(const struct vm_uri *u, const struct vm_uri_command *cmd, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf command = VM_STRBUF_INIT;
	VM_AUTO_FREE char *timeout = vm_xasprintf("-oConnectTimeout=%" PRIu64,
						  (cmd->timeout_ms + 999) / 1000);
	VM_AUTO_FREE char *port = vm_xasprintf("-p%d", u->port);
	VM_AUTO_FREE char *host = vm_xasprintf("%s%s%s", u->user ? u->user : "", u->user ? "@" : "",
					       u->host);
	VM_AUTO_FD int fd = -1;
	const char *argv[8];
	size_t n = 0, i;

	for (i = 0; cmd->argv[i]; i++) {
		if (i)
			vm_strbuf_putc(&command, ' ');
		vm_strbuf_shell(&command, cmd->argv[i]);
		if (i == 0)
			vm_strbuf_printf(&command, " --connect=%s://%s", u->driver,
					 u->path ? u->path : "/");
	}
	argv[n++] = "ssh";
	argv[n++] = timeout;
	if (u->port)
		argv[n++] = port;
	argv[n++] = cmd->tty && isatty(STDIN_FILENO) ? "-t" : "-T";
	argv[n++] = "--";
	argv[n++] = host;
	argv[n++] = command.text;
	argv[n] = NULL;
	if (cmd->stdin_file) {
		fd = open(cmd->stdin_file, O_RDONLY | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
			return vm_err_sys(err, "open %s", cmd->stdin_file);
	}
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	return vm_err_sys(err, "start ssh");
}
