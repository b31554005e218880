/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tunable.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>

#define KFILE_MAX (64u << 10)

/* ---- places ---- */

void vm_tune_place_close(struct vm_tune_place *p)
{
	vm_cleanup_fd(&p->dir);
	free(p->path);
	free(p->name);
	*p = VM_TUNE_PLACE_INIT;
}

static int no_controller(const struct vm_cgroup *c, const struct vm_tunable *t, struct vm_err *err)
{
	vm_err_set(err, VM_UNSUPPORTED, "%s is not available on this host: the guest has no group with the %s controller",
		   t->key, vm_cgroup_controllers[t->controller]);
	return c->note ? vm_err_hint(err, "%s", c->note) : -1;
}

static const struct vm_tunable_file *find_file(int dir, const struct vm_tunable_file files[2])
{
	for (int i = 0; i < 2; i++)
		if (files[i].name && faccessat(dir, files[i].name, F_OK, 0) == 0)
			return &files[i];
	return NULL;
}

int vm_tune_place_open(const struct vm_cgroup *c, const struct vm_tunable *t, const char *group,
		       dev_t dev, struct vm_tune_place *ret, struct vm_err *err)
{
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	int hier = t->where == VM_TUNE_IN_DOCUMENT ? -1 : vm_cgroup_index(c, t->controller);
	const struct vm_tunable_file *files;

	if (hier < 0)
		return no_controller(c, t, err);
	{
		VM_AUTO_FREE char *main = vm_cgroup_dir_path(c, (size_t)hier, VM_CGROUP_MAIN);

		p.path = strcmp(group, ".") == 0 ? vm_take_ptr(&main)
						 : vm_xasprintf("%s/%s", main, group);
	}
	p.t = t;
	p.v2 = c->host.v[hier].v2;
	p.name = vm_xstrdup(group);
	p.dev = dev;
	p.dir = openat(c->at[hier].fd[VM_CGROUP_MAIN], group,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p.dir < 0)
		return vm_err_sys(err, "open the group %s", p.path);
	files = p.v2 ? t->v2 : t->v1;
	p.file = find_file(p.dir, files);
	if (!p.file) {
		vm_err_set(err, VM_UNSUPPORTED, "%s is not available on this host: there is no %s/%s",
			   t->key, p.path, files[0].name);
		return t->kind == VM_TUNE_WEIGHT
			       ? vm_err_hint(err, "weights need the I/O scheduler bfq")
			       : -1;
	}
	*ret = p;
	p = VM_TUNE_PLACE_INIT;
	return 0;
}

int vm_tune_device(const char *path, dev_t *ret, struct vm_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return vm_err_sys(err, "%s", path);
	if (!S_ISBLK(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "%s is no block device", path);
	*ret = st.st_rdev;
	return 0;
}

/* ---- reading ---- */

static int read_file(const struct vm_tune_place *p, const char *name, char **ret, struct vm_err *err)
{
	if (vm_file_read(p->dir, name, KFILE_MAX, ret, NULL, NULL, err) < 0)
		return vm_err_wrap(err, "%s", p->path);
	return 0;
}

static int nonsense(const struct vm_tune_place *p, const char *text, struct vm_err *err)
{
	return vm_err_set(err, VM_SYSTEM, "%s/%s says '%.60s', which is not understood", p->path,
			  p->file->name, text);
}

/* A number, or "max", or a negative one; then blank or the end. */
static bool take_number(const char *text, struct vm_tune_value *ret, const char **ret_end)
{
	char *end;

	*ret = VM_TUNE_VALUE_INIT;
	if (strncmp(text, "max", 3) == 0) {
		ret->unlimited = true;
		end = (char *)(uintptr_t)text + 3;
	} else if (text[0] == '-' && text[1] >= '0' && text[1] <= '9') {
		ret->unlimited = true;
		strtoll(text, &end, 10);
	} else {
		if (*text < '0' || *text > '9')
			return false;
		errno = 0;
		ret->n = strtoull(text, &end, 10);
		if (errno)
			return false;
	}
	if (ret_end)
		*ret_end = end;
	return *end == '\0' || *end == '\n' || *end == ' ' || *end == '\t';
}

/* What the memory controller of v1 has for no limit: the most pages that it can count. */
static uint64_t memory_unlimited(void)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (uint64_t)INT64_MAX / page * page;
}

/* The line "MAJOR:MINOR ..." of a device, after its number; NULL = none. */
static const char *device_line(const char *text, dev_t dev)
{
	char head[32];
	size_t len = (size_t)snprintf(head, sizeof(head), "%u:%u ", major(dev), minor(dev));

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, head, len) == 0)
			return line + len;
	}
	return NULL;
}

/* The value behind KEY= in a line of io.max. */
static const char *keyed(const char *line, const char *key)
{
	size_t len = strlen(key);

	while (*line && *line != '\n') {
		if (strncmp(line, key, len) == 0 && line[len] == '=')
			return line + len + 1;
		line += strcspn(line, " \n");
		line += *line == ' ';
	}
	return NULL;
}

static int read_device(const struct vm_tune_place *p, const char *text, struct vm_tune_value *ret,
		       struct vm_err *err)
{
	const char *line = device_line(text, p->dev), *value = line;

	if (line && p->file->key)
		value = keyed(line, p->file->key);
	if (!value) {
		*ret = (struct vm_tune_value){ .unlimited = true };
		return p->t->kind == VM_TUNE_WEIGHT;
	}
	if (!take_number(value, ret, NULL))
		return nonsense(p, value, err);
	if (p->t->kind == VM_TUNE_RATE && ret->n == 0)
		ret->unlimited = true;
	return 0;
}

/* "50000 100000": what is allowed in how long. */
static int read_cpu_max(const struct vm_tune_place *p, const char *text, struct vm_tune_value *ret,
			struct vm_err *err)
{
	struct vm_tune_value quota, period;
	const char *rest;

	if (!take_number(text, &quota, &rest) || *rest != ' ' || !take_number(rest + 1, &period, NULL))
		return nonsense(p, text, err);
	*ret = p->t->kind == VM_TUNE_QUOTA ? quota : period;
	return 0;
}

/* What memory and swap may be together. */
static int read_swap_v2(const struct vm_tune_place *p, const struct vm_tune_value *swap,
			struct vm_tune_value *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_tune_value hard;

	if (read_file(p, "memory.max", &text, err) < 0)
		return -1;
	if (!take_number(text, &hard, NULL))
		return nonsense(p, text, err);
	*ret = (struct vm_tune_value){ .unlimited = swap->unlimited || hard.unlimited,
				       .n = swap->n + hard.n };
	return 0;
}

/* None of its own on v2: those of the group above.  Owned. */
static int set_in_force(const struct vm_tune_place *p, const char *text, char **ret,
			struct vm_err *err)
{
	VM_AUTO_FREE char *effective = NULL;
	char name[64];

	if (p->v2 && (!*text || *text == '\n')) {
		snprintf(name, sizeof(name), "%s.effective", p->file->name);
		if (read_file(p, name, &effective, err) < 0)
			return -1;
		text = effective;
	}
	*ret = vm_xstrndup(text, strcspn(text, "\n"));
	return 0;
}

int vm_tune_read(const struct vm_tune_place *p, struct vm_tune_value *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_tune_value v;
	const char *number;

	*ret = VM_TUNE_VALUE_INIT;
	if (read_file(p, p->file->name, &text, err) < 0)
		return -1;
	if (p->t->per_device)
		return read_device(p, text, ret, err);
	if (p->t->kind == VM_TUNE_NODES)
		return set_in_force(p, text, &ret->text, err);
	if (p->file->key)
		return read_cpu_max(p, text, ret, err);
	/* Weights: "100", or "default 100" and lines of devices. */
	number = strncmp(text, "default ", 8) == 0 ? text + 8 : text;
	if (!take_number(number, &v, NULL))
		return nonsense(p, text, err);
	if (p->t->kind == VM_TUNE_SWAP && p->v2)
		return read_swap_v2(p, &v, ret, err);
	if ((p->t->kind == VM_TUNE_BYTES || p->t->kind == VM_TUNE_SWAP) &&
	    v.n >= memory_unlimited())
		v.unlimited = true;
	if (v.unlimited)
		v.n = 0;
	*ret = v;
	return 0;
}

int vm_tune_read_raw(const struct vm_tune_place *p, char **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	size_t len;

	if (read_file(p, p->file->name, &text, err) < 0)
		return -1;
	if (p->t->per_device) {
		const char *line = device_line(text, p->dev);

		*ret = line ? vm_xasprintf("%u:%u %.*s", major(p->dev), minor(p->dev),
					   (int)strcspn(line, "\n"), line)
			    : NULL;
		return 0;
	}
	for (len = strlen(text); len > 0 && text[len - 1] == '\n'; len--)
		text[len - 1] = '\0';
	{
		struct vm_strbuf b = VM_STRBUF_INIT;

		for (const char *s = text; *s; s++)
			if (*s == '\n')
				vm_strbuf_puts(&b, "; ");
			else
				vm_strbuf_putc(&b, *s);
		*ret = vm_strbuf_take(&b);
	}
	return 0;
}

/* ---- writing ---- */

static int compose_swap_v2(const struct vm_tune_place *p, const struct vm_tune_value *v,
			   const struct vm_tune_value *hard, char **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_tune_value now;

	if (!hard) {
		if (read_file(p, "memory.max", &text, err) < 0)
			return -1;
		if (!take_number(text, &now, NULL))
			return nonsense(p, text, err);
		hard = &now;
	}
	if (v->unlimited) {
		*ret = vm_xstrdup("max");
		return 0;
	}
	if (hard->unlimited) {
		vm_err_set(err, VM_BAD_INPUT,
			   "%s/%s: %" PRIu64 " KiB of memory and swap together is less than the "
			   "unlimited hard_limit",
			   p->path, p->file->name, v->n / 1024);
		return vm_err_hint(err, "set hard_limit too");
	}
	if (v->n < hard->n)
		return vm_err_set(err, VM_BAD_INPUT,
				  "%s/%s: %" PRIu64 " KiB of memory and swap together is less than "
				  "hard_limit, %" PRIu64 " KiB",
				  p->path, p->file->name, v->n / 1024, hard->n / 1024);
	*ret = vm_xasprintf("%" PRIu64, v->n - hard->n);
	return 0;
}

static char *compose_device(const struct vm_tune_place *p, const struct vm_tune_value *v)
{
	const char *none = p->t->kind == VM_TUNE_WEIGHT ? "default" : "max";
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, v->n);
	return vm_xasprintf("%u:%u %s%s%s", major(p->dev), minor(p->dev),
			    p->file->key ? p->file->key : "", p->file->key ? "=" : "",
			    !v->unlimited ? number
			    : p->v2	  ? none
					  : "0");
}

int vm_tune_compose(const struct vm_tune_place *p, const struct vm_tune_value *v, bool convert,
		    const struct vm_tune_value *hard, char **ret, struct vm_err *err)
{
	uint64_t n = v->n;

	if (v->text) {
		*ret = vm_xstrdup(v->text);
		return 0;
	}
	if (p->t->kind == VM_TUNE_SHARES && p->v2 && convert)
		n = vm_tune_shares_to_weight(n);
	if (!v->unlimited && (n < p->file->min || n > p->file->max)) {
		vm_err_set(err, VM_BAD_INPUT,
			   "%s/%s: %" PRIu64 " is out of range: %" PRIu64 " to %" PRIu64, p->path,
			   p->file->name, n, p->file->min, p->file->max);
		return p->t->kind == VM_TUNE_SHARES && p->v2
			       ? vm_err_hint(err, "--convert-shares, or convert_shares of vm.conf(5), maps "
						  "2..262144 to 1..10000")
			       : -1;
	}
	if (p->t->kind == VM_TUNE_SWAP && p->v2)
		return compose_swap_v2(p, v, hard, ret, err);
	if (p->t->per_device) {
		*ret = compose_device(p, v);
		return 0;
	}
	if (p->v2 && p->t->kind == VM_TUNE_PERIOD) {
		VM_AUTO_FREE char *now = NULL;

		if (read_file(p, p->file->name, &now, err) < 0)
			return -1;
		*ret = vm_xasprintf("%.*s %" PRIu64, (int)strcspn(now, " \n"), now, n);
		return 0;
	}
	if (v->unlimited)
		*ret = vm_xstrdup(p->v2 ? "max" : "-1");
	else
		*ret = vm_xasprintf("%" PRIu64, n);
	return 0;
}

int vm_tune_restore_text(const struct vm_tune_place *p, char **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	const char *line;

	if (read_file(p, p->file->name, &text, err) < 0)
		return -1;
	if (p->t->per_device) {
		struct vm_tune_value v;

		if (read_device(p, text, &v, err) < 0)
			return -1;
		*ret = compose_device(p, &v);
		return 0;
	}
	/* Kernels before 6.4 do not let a set with threads in it be emptied again. */
	if (p->t->kind == VM_TUNE_NODES)
		return set_in_force(p, text, ret, err);
	line = strncmp(text, "default ", 8) == 0 ? text + 8 : text;
	*ret = vm_xstrndup(line, strcspn(line, "\n"));
	return 0;
}

/* One line of a file of a group from this one on ("..": the one above); "?" = not to be had. */
static void look(const struct vm_tune_place *p, const char *group, const char *name, char *buf,
		 size_t size)
{
	VM_AUTO_FD int dir = openat(p->dir, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	VM_AUTO_FREE char *text = NULL;
	struct vm_err ignored = VM_ERR_INIT;

	snprintf(buf, size, "?");
	if (dir >= 0 && vm_file_read(dir, name, KFILE_MAX, &text, NULL, NULL, &ignored) == 0)
		snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* The nearest group above that has a quota, up to the host's own. */
static int explain_quota(const struct vm_tune_place *p, struct vm_err *err)
{
	static const char *const above[] = { "..", "../..", "../../.." };
	char quota[32], period[32];

	for (size_t i = 0; i < VM_COUNT(above); i++) {
		look(p, above[i], "cpu.cfs_quota_us", quota, sizeof(quota));
		look(p, above[i], "cpu.cfs_period_us", period, sizeof(period));
		if (quota[0] >= '0' && quota[0] <= '9')
			return vm_err_hint(err, "a group has no larger part of its period than the group "
						"above, here %s of %s, and no smaller one than any below", quota,
					   period);
	}
	return vm_err_hint(err, "a group has no smaller part of its period than any group below it");
}

static int explain(const struct vm_tune_place *p, const char *text, int error, struct vm_err *err)
{
	const char *name = p->file->name;
	bool cpuset = p->t->controller == VM_CGROUP_CPUSET;
	char now[128], more[128];

	if (error == ENOENT)
		return vm_err_set(err, VM_UNSUPPORTED, "%s is not available on this host: there is no %s/%s",
				  p->t->key, p->path, name);
	if (!cpuset && (error == EACCES || error == EPERM || error == EROFS)) {
		errno = error;
		return vm_err_sys(err, "write '%s' to %s/%s", text, p->path, name);
	}
	vm_err_set(err, VM_HYPERVISOR, "%s/%s: the kernel refuses '%s': %s", p->path, name, text,
		   strerror(error));
	err->sys = error;
	if (cpuset) {
		snprintf(more, sizeof(more), "%s%s", name, p->v2 ? ".effective" : "");
		look(p, "..", more, now, sizeof(now));
		return vm_err_hint(err, "the group above has '%s'", now);
	}
	if (p->t->controller == VM_CGROUP_MEMORY && error == EBUSY) {
		look(p, ".", p->v2 ? "memory.current" : "memory.usage_in_bytes", now, sizeof(now));
		return vm_err_hint(err, "the guest uses %llu KiB now",
				   strtoull(now, NULL, 10) / 1024);
	}
	if (p->t->controller == VM_CGROUP_MEMORY && error == EINVAL && !p->v2) {
		look(p, ".", "memory.limit_in_bytes", now, sizeof(now));
		look(p, ".", "memory.memsw.limit_in_bytes", more, sizeof(more));
		return vm_err_hint(err, "memory has %s, memory and swap together %s", now, more);
	}
	if ((p->t->kind == VM_TUNE_QUOTA || p->t->kind == VM_TUNE_PERIOD) && !p->v2)
		return explain_quota(p, err);
	if (p->t->per_device && error == ENODEV)
		return vm_err_hint(err, "limits are for whole disks, not for partitions");
	return -1;
}

int vm_tune_write(const struct vm_tune_place *p, const char *text, struct vm_err *err)
{
	VM_AUTO_FD int fd = openat(p->dir, p->file->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return explain(p, text, errno, err);
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return explain(p, text, errno, err);
	return 0;
}
