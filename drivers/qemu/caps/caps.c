/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/caps/caps.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/record.h>
#include <vm/state.h>

#include "qemu/caps/caps_private.h"

struct vm_qemu_caps {
	struct vm_record r;
	const char *emulator, *arch, *version; /* borrowed from the record */
};

/* Where QEMU looks for its modules: a package that adds devices touches none but these.
 * Source: module_load_qom() of util/module.c, QEMU 7.2, and the distributions' --libdir. */
static const char *const module_dirs[] = {
    "/usr/lib/x86_64-linux-gnu/qemu",
    "/usr/lib64/qemu",
    "/usr/lib/qemu",
    "/usr/local/lib/qemu",
};

static uint64_t fnv(uint64_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return (h ^ 0xff) * 0x100000001b3u;
}

uint64_t vm_qemu_caps_tables_hash(void)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; vm_qemu_caps_devices[i] != NULL; i++)
		h = fnv(h, vm_qemu_caps_devices[i]);
	for (size_t i = 0; vm_qemu_caps_schema[i].name != NULL; i++)
		h = fnv(fnv(h, vm_qemu_caps_schema[i].name), vm_qemu_caps_schema[i].path);
	return h;
}

int vm_qemu_caps_identity(const char *emulator, char *buf, size_t len)
{
	struct stat st;
	size_t n;

	if (stat(emulator, &st) < 0)
		return -1;
	n = (size_t)snprintf(
	    buf, len, "%" PRIx64 ":%" PRIu64 " %" PRIu64 " %" PRIu64 ".%09ld %" PRIu64 ".%09ld",
	    (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
	    (uint64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
	    st.st_ctim.tv_nsec);
	for (size_t i = 0; i < VM_COUNT(module_dirs) && n < len; i++)
		if (stat(module_dirs[i], &st) == 0)
			n += (size_t)snprintf(buf + n, len - n, " %zu:%" PRIu64 ".%09ld", i,
					      (uint64_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	assert(n < len);
	return 0;
}

void vm_qemu_caps_file(const char *emulator, char buf[32])
{
	snprintf(buf, 32, "qemu-%016" PRIx64, fnv(0xcbf29ce484222325u, emulator));
}

int vm_qemu_caps_dir(const struct vm_state *s, bool make)
{
	VM_AUTO_FD int above = -1;

	if (s == NULL || s->lib < 0)
		return -1;
	/* Next to the drivers' own directories: one binary may serve several connections. */
	above = openat(s->lib, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (above < 0 || (make && mkdirat(above, "caps", 0755) < 0 && errno != EEXIST))
		return -1;
	return openat(above, "caps", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int vm_qemu_caps_from_record(struct vm_record *r, struct vm_qemu_caps **ret, struct vm_err *err)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = vm_xcalloc(1, sizeof(*c));

	c->r = *r;
	*r = VM_RECORD_INIT;
	c->emulator = vm_record_get(&c->r, "emulator");
	c->arch = vm_record_get(&c->r, "arch");
	c->version = vm_record_get(&c->r, "version");
	if (c->emulator == NULL || c->arch == NULL || c->version == NULL)
		return vm_err_set(err, VM_BAD_INPUT,
				  "the capabilities lack emulator, arch or version");
	*ret = vm_take_ptr(&c);
	return 0;
}

void vm_qemu_caps_free(struct vm_qemu_caps **cp)
{
	struct vm_qemu_caps *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	vm_record_free(&c->r);
	free(c);
}

int vm_qemu_caps_load(int dirfd, const char *name, struct vm_qemu_caps **ret, struct vm_err *err)
{
	struct vm_record r = VM_RECORD_INIT;

	if (vm_record_read(&r, dirfd, name, VM_RECORD_CAPS, VM_RECORD_CAPS_VERSION, err) < 0)
		return -1;
	return vm_qemu_caps_from_record(&r, ret, err);
}

int vm_qemu_caps_save(const struct vm_qemu_caps *c, int dirfd, const char *name, struct vm_err *err)
{
	/* Not worth an fsync: one that is damaged after a power cut is asked for anew. */
	return vm_record_write_volatile(&c->r, dirfd, name, VM_RECORD_CAPS, VM_RECORD_CAPS_VERSION,
					err);
}

int vm_qemu_caps_cached(const struct vm_state *s, const char *emulator, struct vm_qemu_caps **ret,
			struct vm_err *err)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = NULL;
	VM_AUTO_FD int dir = vm_qemu_caps_dir(s, false);
	struct vm_err ignored = VM_ERR_INIT;
	char identity[512], file[32];
	const char *was, *tables;

	if (vm_qemu_caps_identity(emulator, identity, sizeof(identity)) < 0)
		return vm_err_sys(err, "emulator %s", emulator);
	vm_qemu_caps_file(emulator, file);
	/* Whatever is wrong with the cache, the binary can be asked. */
	if (dir < 0 || vm_qemu_caps_load(dir, file, &c, &ignored) < 0)
		return 1;
	was = vm_record_get(&c->r, "identity");
	tables = vm_record_get(&c->r, "tables");
	if (was == NULL || strcmp(was, identity) != 0 || strcmp(c->emulator, emulator) != 0 ||
	    tables == NULL || strtoull(tables, NULL, 16) != vm_qemu_caps_tables_hash())
		return 1;
	*ret = vm_take_ptr(&c);
	return 0;
}

/* ---- finding the binary ---- */

static int check_executable(const char *path, struct vm_err *err)
{
	VM_AUTO_FREE char *blocked = NULL;
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == EACCES && (blocked = vm_path_blocked(path)) != NULL)
			return vm_err_set(err, VM_DENIED,
					  "emulator %s: the directory %s cannot be searched", path,
					  blocked);
		vm_err_sys(err, "emulator %s", path);
		if (err->kind == VM_NOT_FOUND)
			vm_err_hint(err, "install QEMU, or mend <emulator>");
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "emulator %s: is no file", path);
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
		vm_err_set(err, VM_DENIED, "emulator %s: is not executable", path);
		return vm_err_hint(err, "chmod +x %s", path);
	}
	return 0;
}

static char *search_path(const char *name)
{
	const char *path = getenv("PATH");
	struct stat st;

	if (path == NULL)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path != '\0') {
		size_t n = strcspn(path, ":");

		if (n > 0 && path[0] == '/') {
			VM_AUTO_FREE char *full = vm_xasprintf("%.*s/%s", (int)n, path, name);

			if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0)
				return vm_take_ptr(&full);
		}
		path += n;
		path += *path == ':';
	}
	return NULL;
}

int vm_qemu_emulator(const struct vm_state *s, const char *given, const char *arch, char **ret,
		     struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FREE char *name = NULL;

	if (given == NULL && s != NULL)
		given = s->conf.emulator;
	if (given != NULL && given[0] == '/') {
		if (check_executable(given, err) < 0)
			return -1;
		*ret = vm_xstrdup(given);
		return 0;
	}
	if (given != NULL && strchr(given, '/') != NULL)
		return vm_err_set(err, VM_BAD_INPUT, "emulator %s: is no absolute path", given);
	/* QEMU's name for what libvirt's documents call i686. */
	name = given != NULL
		   ? vm_xstrdup(given)
		   : vm_xasprintf("qemu-system-%s", strcmp(arch, "i686") == 0 ? "i386" : arch);
	path = search_path(name);
	if (path == NULL) {
		vm_err_set(err, VM_NOT_FOUND, "emulator %s: not in PATH", name);
		return vm_err_hint(err, "install QEMU for %s", arch);
	}
	*ret = vm_take_ptr(&path);
	return 0;
}

/* ---- questions ---- */

/* Is the word in a list of words between spaces? */
static bool has_word(const char *list, const char *word, size_t len)
{
	if (list == NULL || len == 0)
		return false;
	for (const char *p = list; (p = memmem(p, strlen(p), word, len)) != NULL; p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static bool has_device(const struct vm_qemu_caps *c, const char *what)
{
	const char *types = vm_record_get(&c->r, "types");
	const char *dot = strrchr(what, '.');
	char key[128];
	int n;

	if (has_word(types, what, strlen(what)))
		return true;
	if (dot == NULL)
		return false;
	n = snprintf(key, sizeof(key), "props.%.*s", (int)(dot - what), what);
	return n > 0 && (size_t)n < sizeof(key) &&
	       has_word(vm_record_get(&c->r, key), dot + 1, strlen(dot + 1));
}

bool vm_qemu_caps_has(const struct vm_qemu_caps *c, const char *what)
{
	static const struct {
		const char *prefix, *key;
	} lists[] = {
	    {"type:", "types"},	    {"command:", "commands"}, {"event:", "events"},
	    {"option:", "options"}, {"schema:", "schema"},    {"tpm:", "tpm"},
	};
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_qemu_machine machine;
	struct vm_qemu_cpu cpu;

	if (strcmp(what, "kvm") == 0)
		return vm_record_bool(&c->r, "kvm", false);
	if (strncmp(what, "device:", 7) == 0)
		return has_device(c, what + 7);
	for (size_t i = 0; i < VM_COUNT(lists); i++) {
		size_t n = strlen(lists[i].prefix);

		if (strncmp(what, lists[i].prefix, n) == 0)
			return has_word(vm_record_get(&c->r, lists[i].key), what + n,
					strlen(what + n));
	}
	if (strncmp(what, "machine:", 8) == 0)
		return vm_qemu_caps_machine(c, what + 8, &machine, &ignored) == 0;
	assert(strncmp(what, "cpu:", 4) == 0);
	for (size_t i = 0; vm_qemu_caps_cpu_at(c, i, &cpu); i++)
		if (strcmp(cpu.name, what + 4) == 0)
			return true;
	return false;
}

int vm_qemu_caps_need(const struct vm_qemu_caps *c, const char *what, struct vm_err *err)
{
	const char *colon = strchr(what, ':');

	if (vm_qemu_caps_has(c, what))
		return 0;
	if (colon == NULL)
		return vm_err_set(err, VM_UNSUPPORTED, "%s %s was built without %s", c->emulator,
				  c->version, what);
	return vm_err_set(err, VM_UNSUPPORTED, "%s %s has no %.*s %s", c->emulator, c->version,
			  (int)(colon - what), what, colon + 1);
}

const char *vm_qemu_caps_emulator(const struct vm_qemu_caps *c)
{
	return c->emulator;
}

const char *vm_qemu_caps_arch(const struct vm_qemu_caps *c)
{
	return c->arch;
}

const char *vm_qemu_caps_version(const struct vm_qemu_caps *c)
{
	return c->version;
}

/* Copies the value of "key:VALUE" from a line of such words; false = it has none. */
static bool line_value(const char *line, const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);

	for (const char *p = line; *p != '\0'; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");

		if (len > n && memcmp(p, key, n) == 0 && p[n] == ':' && len - n - 1 < size) {
			memcpy(buf, p + n + 1, len - n - 1);
			buf[len - n - 1] = '\0';
			return true;
		}
		p += len;
	}
	buf[0] = '\0';
	return false;
}

static bool line_has(const char *line, const char *word)
{
	return has_word(line, word, strlen(word));
}

bool vm_qemu_caps_machine_at(const struct vm_qemu_caps *c, size_t index,
			     struct vm_qemu_machine *ret)
{
	const char *line = vm_record_nth(&c->r, "machine", index);
	char cpus[32];

	if (line == NULL)
		return false;
	*ret = (struct vm_qemu_machine){
	    .is_default = line_has(line, "default"),
	    .hotpluggable_cpus = line_has(line, "hotpluggable-cpus"),
	    .numa_mem = line_has(line, "numa-mem"),
	    .deprecated = line_has(line, "deprecated"),
	};
	line_value(line, "name", ret->name, sizeof(ret->name));
	line_value(line, "alias", ret->alias, sizeof(ret->alias));
	line_value(line, "default-cpu", ret->default_cpu, sizeof(ret->default_cpu));
	line_value(line, "ram-id", ret->ram_id, sizeof(ret->ram_id));
	line_value(line, "cpu-max", cpus, sizeof(cpus));
	ret->cpu_max = strtoull(cpus, NULL, 10);
	return true;
}

int vm_qemu_caps_machine(const struct vm_qemu_caps *c, const char *name,
			 struct vm_qemu_machine *ret, struct vm_err *err)
{
	struct vm_qemu_machine m;

	for (size_t i = 0; vm_qemu_caps_machine_at(c, i, &m); i++) {
		if (name == NULL ? m.is_default
				 : strcmp(m.name, name) == 0 || strcmp(m.alias, name) == 0) {
			*ret = m;
			return 0;
		}
	}
	if (name == NULL)
		return vm_err_set(err, VM_UNSUPPORTED, "%s %s has no default machine", c->emulator,
				  c->version);
	return vm_err_set(err, VM_UNSUPPORTED, "%s %s has no machine %s", c->emulator, c->version,
			  name);
}

bool vm_qemu_caps_cpu_at(const struct vm_qemu_caps *c, size_t index, struct vm_qemu_cpu *ret)
{
	const char *line = vm_record_nth(&c->r, "cpu", index);

	if (line == NULL)
		return false;
	*ret = (struct vm_qemu_cpu){
	    .is_static = line_has(line, "static"),
	    .migration_safe = line_has(line, "migration-safe"),
	    .deprecated = line_has(line, "deprecated"),
	};
	line_value(line, "name", ret->name, sizeof(ret->name));
	line_value(line, "alias-of", ret->alias_of, sizeof(ret->alias_of));
	return true;
}
