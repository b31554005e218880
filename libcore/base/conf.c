/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/conf.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/file.h>
#include <vm/strbuf.h>

#define CONF_MAX (1u << 20)
#define FILES_MAX 1024

static const char *const backends[] = { "auto", "v1", "v2", "both", "none", NULL };

#define KEY(n, k, d, h) .name = #n, .kind = k, .off = offsetof(struct vm_conf, n), .def = d, .help = h
const struct vm_conf_key vm_conf_keys[] = {
	/* above what systemd gives to containers and directory services to people (they end at 2000200000),
	 * below what signed programs cannot hold
	 * Source: https://systemd.io/UIDS-GIDS; sssd-ldap(5), ldap_idmap_range_max */
	{ KEY(uid_first, VM_OPT_U64, "2100000000", "first of guests' user ids"),
	  .min = 1, .max = INT32_MAX },
	{ KEY(uid_count, VM_OPT_U64, "65536", "how many such ids there are"), .min = 1,
	  .max = INT32_MAX },
	{ KEY(group, VM_OPT_STR, "vm", "who may look at guests' runtime files") },
	{ KEY(cgroup_device_acl, VM_OPT_STR, "",
	      "device nodes of every guest (empty: the built-in list)") },
	{ KEY(acl_backend, VM_OPT_ENUM, "auto", "which cgroup version enforces device rules"),
	  .words = backends },
	{ KEY(convert_shares, VM_OPT_FLAG, "no", "map <shares> to cgroup v2's weights") },
	{ KEY(private_dev, VM_OPT_FLAG, "yes", "give every guest a /dev of its own") },
	{ KEY(hooks_path, VM_OPT_STR, VM_SYSCONFDIR "/vm/hooks", "where hook programs are") },
	{ KEY(hook_timeout_ms, VM_OPT_SECONDS, "60", "seconds a hook may take"), .alias = "hook_timeout" },
	{ KEY(stop_timeout_ms, VM_OPT_SECONDS, "120",
	      "seconds from a shutdown request to a destroy"),
	  .alias = "stop_timeout" },
	{ KEY(parallel, VM_OPT_U64, "4", "guests handled at a time"), .min = 1,
	  .max = 1024 },
	{ KEY(log_bytes, VM_OPT_SIZE, "2MiB", "size of a guest's log"),
	  .min = 4096, .max = 1ull << 40 },
	{ KEY(log_files, VM_OPT_U64, "3", "log files kept of each guest"), .min = 1, .max = 100 },
	{ KEY(events_bytes, VM_OPT_SIZE, "1MiB", "size of a guest's event file"),
	  .min = 4096, .max = 1ull << 40 },
	{ KEY(vnc_listen, VM_OPT_STR, "127.0.0.1", "address of VNC displays that give none") },
	{ KEY(emulator, VM_OPT_STR, "", "QEMU to use where the guest names none (empty: by PATH)") },
	{ KEY(migration_port_first, VM_OPT_U64, "49152", "first port of incoming migrations"),
	  .min = 1, .max = 65535 },
	{ KEY(migration_port_count, VM_OPT_U64, "64", "how many such ports there are"), .min = 1,
	  .max = 65535 },
	{ 0 },
};
#define KEYS (VM_COUNT(vm_conf_keys) - 1)

struct load {
	struct vm_conf conf;
	char *from[KEYS + 1];
};

const char *vm_conf_key_name(const struct vm_conf_key *key)
{
	return key->alias ? key->alias : key->name;
}

void vm_conf_free(struct vm_conf *c)
{
	const struct vm_conf_key *k;

	for (k = vm_conf_keys; k->name; k++) {
		char **member = (char **)(void *)((char *)c + k->off);

		if (k->kind == VM_OPT_STR) {
			free(*member);
			*member = NULL;
		}
	}
}

void vm_conf_from_free(char **from)
{
	size_t i;

	for (i = 0; from && from[i]; i++)
		free(from[i]);
	free(from);
}

static void load_free(struct load *l)
{
	size_t i;

	vm_conf_free(&l->conf);
	for (i = 0; i < KEYS; i++)
		free(l->from[i]);
}

static int find_word(const char *const *words, const char *text, int *ret, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf all = VM_STRBUF_INIT;
	int i;

	for (i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret = i;
			return 0;
		}
		vm_strbuf_printf(&all, "%s%s", i ? ", " : "", words[i]);
	}
	return vm_err_set(err, VM_BAD_INPUT, "'%s' is none of %s", text, all.text);
}

static int in_range(const struct vm_conf_key *k, const char *text, uint64_t n, struct vm_err *err)
{
	if (k->max && (n < k->min || n > k->max))
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is out of range", text);
	return 0;
}

static int store(struct vm_conf *c, const struct vm_conf_key *k, const char *text,
		 struct vm_err *err)
{
	static const char *const yes_no[] = { "no", "yes", NULL };
	void *member = (char *)c + k->off;
	uint64_t n = 0;
	int i = 0;

	switch ((enum vm_opt_kind)k->kind) {
	case VM_OPT_FLAG:
		if (find_word(yes_no, text, &i, err) < 0)
			return -1;
		*(bool *)member = i;
		return 0;
	case VM_OPT_ENUM:
		return find_word(k->words, text, member, err);
	case VM_OPT_STR:
		if (!vm_utf8_valid(text, strlen(text)))
			return vm_err_set(err, VM_BAD_INPUT, "the value is not UTF-8");
		free(*(char **)member);
		*(char **)member = *text ? vm_xstrdup(text) : NULL;
		return 0;
	case VM_OPT_U64:
		if (vm_parse_u64(text, 0, UINT64_MAX, &n, err) < 0)
			return -1;
		break;
	case VM_OPT_SECONDS:
		if (vm_parse_u64(text, 1, 86400 * 366, &n, err) < 0)
			return -1;
		n *= 1000;
		break;
	case VM_OPT_SIZE:
		/* the key says bytes: a bare number is not KiB, as it is on the command line */
		if (*text && text[strspn(text, "0123456789")] == '\0') {
			if (vm_parse_u64(text, 0, UINT64_MAX, &n, err) < 0)
				return -1;
		} else if (vm_parse_size(text, &n, err) < 0) {
			return -1;
		}
		break;
	case VM_OPT_LIST:
	case VM_OPT_SET:
		assert(false && "a kind that configuration has");
	}
	if (in_range(k, text, n, err) < 0)
		return -1;
	*(uint64_t *)member = n;
	return 0;
}

/* Cuts blanks off both ends. */
static char *trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	for (len = strlen(s); len && strchr(" \t\r", s[len - 1]); len--)
		s[len - 1] = '\0';
	return s;
}

static int parse_line(struct load *l, bool seen[KEYS], char *line, const char *where,
		      struct vm_err *err)
{
	char *eq, *name = trim(line), *value;
	size_t i;

	if (!*name || *name == '#')
		return 0;
	eq = strchr(name, '=');
	if (!eq)
		return vm_err_set(err, VM_BAD_INPUT, "%s: not \"key = value\"", where);
	*eq = '\0';
	name = trim(name);
	value = trim(eq + 1);
	for (i = 0; i < KEYS && strcmp(vm_conf_key_name(&vm_conf_keys[i]), name) != 0; i++)
		;
	if (i == KEYS) {
		vm_err_set(err, VM_BAD_INPUT, "%s: unknown key '%.100s'", where, name);
		return vm_err_hint(err, "the keys are listed in vm.conf(5)");
	}
	if (seen[i])
		return vm_err_set(err, VM_BAD_INPUT, "%s: '%s' is set twice in this file", where, name);
	if (*value == '"' || *value == '\'')
		return vm_err_set(err, VM_BAD_INPUT, "%s: %s: values are written without quotes", where,
				  name);
	seen[i] = true;
	if (store(&l->conf, &vm_conf_keys[i], value, err) < 0) {
		err->kind = VM_BAD_INPUT;
		return vm_err_wrap(err, "%s: %s", where, name);
	}
	free(l->from[i]);
	l->from[i] = vm_xstrdup(where);
	return 0;
}

static int parse_text(struct load *l, char *text, size_t len, const char *file, struct vm_err *err)
{
	bool seen[KEYS] = { false };
	unsigned number = 0;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		VM_AUTO_FREE char *where = vm_xasprintf("%s:%u", file, ++number);

		if (!rest && (size_t)(line - text) + strlen(line) < len)
			return vm_err_set(err, VM_BAD_INPUT, "%s: NUL byte", where);
		if (parse_line(l, seen, line, where, err) < 0)
			return -1;
	}
	return 0;
}

static int load_file(struct load *l, int etc_fd, const char *file, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FD int fd = -1;
	size_t len;

	/* an admin may well have links in /etc */
	fd = openat(etc_fd, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "read %s", file);
	if (vm_fd_read(fd, file, CONF_MAX, &text, &len, err) < 0)
		return -1;
	return parse_text(l, text, len, file, err);
}

struct names {
	char **v;
	size_t n;
};

static void names_free(struct names *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static int add_name(int dirfd, const char *name, void *arg)
{
	struct names *names = arg;
	size_t len = strlen(name);

	(void)dirfd;
	if (name[0] == '.' || len < 6 || strcmp(name + len - 5, ".conf") != 0 ||
	    names->n == FILES_MAX)
		return 0;
	names->v = vm_xreallocarray(names->v, names->n + 1, sizeof(*names->v));
	names->v[names->n++] = vm_xasprintf("conf.d/%s", name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int load_dir(struct load *l, int etc_fd, struct vm_err *err)
{
	VM_AUTO(names_free) struct names names = { 0 };
	VM_AUTO_FD int fd = -1;
	size_t i;

	fd = openat(etc_fd, "conf.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "read conf.d");
	if (vm_dir_each(fd, add_name, &names, err) < 0)
		return vm_err_wrap(err, "conf.d");
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	for (i = 0; i < names.n; i++)
		if (load_file(l, etc_fd, names.v[i], err) < 0)
			return -1;
	return 0;
}

/* What one key cannot know of another. */
static int check(const struct load *l, struct vm_err *err)
{
	if (l->conf.uid_first + l->conf.uid_count - 1 > INT32_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "vm.conf: uid_first + uid_count is above %d",
				  INT32_MAX);
	if (l->conf.migration_port_first + l->conf.migration_port_count - 1 > 65535)
		return vm_err_set(err, VM_BAD_INPUT,
				  "vm.conf: migration_port_first + migration_port_count is above 65535");
	return 0;
}

int vm_conf_load(int etc_fd, struct vm_conf *ret, char ***ret_from, struct vm_err *err)
{
	VM_AUTO(load_free) struct load l = { 0 };
	size_t i;

	for (i = 0; i < KEYS; i++) {
		int r = store(&l.conf, &vm_conf_keys[i], vm_conf_keys[i].def, err);

		assert(r == 0);
		l.from[i] = vm_xstrdup("default");
	}
	if (etc_fd >= 0 && (load_file(&l, etc_fd, "vm.conf", err) < 0 ||
			    load_dir(&l, etc_fd, err) < 0 || check(&l, err) < 0))
		return -1;
	if (ret_from)
		*ret_from = vm_xmemdup(l.from, sizeof(l.from));
	else
		for (i = 0; i < KEYS; i++)
			free(l.from[i]);
	*ret = l.conf;
	l = (struct load){ 0 };
	return 0;
}

int vm_conf_parse(char *text, size_t len, struct vm_conf *ret, struct vm_err *err)
{
	VM_AUTO(load_free) struct load l = { 0 };

	if (parse_text(&l, text, len, "vm.conf", err) < 0)
		return -1;
	*ret = l.conf;
	l.conf = (struct vm_conf){ 0 };
	return 0;
}
