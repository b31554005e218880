// SPDX-License-Identifier: LGPL-2.1-or-later
#include <vm/define.h>

#include <errno.h>
#include <fcntl.h>
#include <model/domain.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>

#define WIPE_BLOCK (1u << 20)

struct undefine {
	const struct vm_undefine *o;
	struct vm_guest *g;
	struct vm_xml *doc;	  /* NULL: there is none that can be read */
	struct vm_domain *domain; /* likewise */
	char **images;		  /* to be removed; owned */
	size_t n_images;
};

static void free_undefine(struct undefine *u)
{
	for (size_t i = 0; i < u->n_images; i++)
		free(u->images[i]);
	free(u->images);
	vm_domain_free(u->domain);
	vm_xml_free(u->doc);
}

/* A definition that cannot be read is no reason not to get rid of it. */
static int load(struct undefine *u, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL, *file = NULL;
	struct vm_err why = VM_ERR_INIT;
	size_t len;

	file = vm_xasprintf("%s/%s.xml", u->g->state->etc_path, u->g->name);
	if (vm_definition_read(u->g->state, u->g->name, &text, &len, &why) == 0 &&
	    vm_xml_parse(text, len, file, &u->doc, &why) == 0 &&
	    vm_domain_parse(u->doc, false, &u->domain, &why) == 0)
		return 0;
	if (u->o->n_storage || u->o->all_storage) {
		*err = why;
		return vm_err_wrap(err, "its definition does not tell its storage");
	}
	return 0;
}

/* ---- what belongs to it besides ---- */

static int count(int dirfd, const char *name, void *arg)
{
	(void)dirfd;
	(void)name;
	++*(unsigned *)arg;
	return 0;
}

static unsigned count_in(int lib, const char *name)
{
	VM_AUTO_FD int dir = -1;
	struct vm_err ignored = VM_ERR_INIT;
	unsigned n = 0;

	if (lib >= 0 && vm_dir_open(lib, name, &dir, &ignored) == 0)
		vm_dir_each(dir, count, &n, &ignored);
	return n;
}

static bool exists_in(int dir, const char *name)
{
	struct stat st;

	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Its variables, if there are any: where the document says, or where a start puts them.  Owned. */
static char *nvram_of(const struct undefine *u)
{
	const struct vm_os *os = u->domain ? u->domain->os : NULL;
	struct stat st;

	if (os && os->nvram &&
	    (os->loader_type == VM_LOADER_PFLASH || os->firmware == VM_FIRMWARE_EFI))
		return lstat(os->nvram, &st) < 0 ? NULL : vm_xstrdup(os->nvram);
	return exists_in(u->g->lib, VM_LIB_NVRAM)
		       ? vm_xasprintf("%s/%s/" VM_LIB_NVRAM, u->g->state->lib_path, u->g->name)
		       : NULL;
}

static int refuse(struct vm_err *err, const char *option, const char *what, unsigned n)
{
	if (n > 1)
		vm_err_set(err, VM_IN_USE, "has %u %ss", n, what);
	else
		vm_err_set(err, VM_IN_USE, "has a %s", what);
	return vm_err_hint(err, "say %s to remove that too", option);
}

/* What would be lost or left lying about is refused unless asked for; a running guest keeps it. */
static int check_rest(const struct undefine *u, struct vm_err *err)
{
	const struct vm_undefine *o = u->o;
	VM_AUTO_FREE char *nvram = NULL;
	unsigned n;

	if (!o->managed_save && exists_in(u->g->lib, VM_LIB_SAVE))
		return refuse(err, "--managed-save", "managed save", 1);
	if (u->g->active)
		return 0;
	n = count_in(u->g->lib, VM_LIB_SNAPSHOTS);
	if (n && !o->snapshots)
		return refuse(err, "--snapshots-metadata", "snapshot", n);
	n = count_in(u->g->lib, VM_LIB_CHECKPOINTS);
	if (n && !o->checkpoints)
		return refuse(err, "--checkpoints-metadata", "checkpoint", n);
	nvram = nvram_of(u);
	if (nvram && !o->nvram && !o->keep_nvram) {
		vm_err_set(err, VM_IN_USE, "has NVRAM: %s", nvram);
		return vm_err_hint(err, "say --nvram to remove it or --keep-nvram to keep it");
	}
	return 0;
}

static int remove_rest(const struct undefine *u, struct vm_err *err)
{
	const struct vm_undefine *o = u->o;
	const struct {
		bool wanted;
		const char *name;
	} trees[] = {
	    {o->managed_save, VM_LIB_SAVE},
	    {o->snapshots && !u->g->active, VM_LIB_SNAPSHOTS},
	    {o->checkpoints && !u->g->active, VM_LIB_CHECKPOINTS},
	    {!o->keep_tpm && !u->g->active, VM_LIB_TPM},
	};
	VM_AUTO_FREE char *nvram = o->nvram && !u->g->active ? nvram_of(u) : NULL;

	for (size_t i = 0; i < VM_COUNT(trees); i++) {
		if (!trees[i].wanted || !exists_in(u->g->lib, trees[i].name))
			continue;
		vm_log_step("remove %s/%s/%s", u->g->state->lib_path, u->g->name, trees[i].name);
		if (!o->dry_run && vm_tree_remove(u->g->lib, trees[i].name, err) < 0)
			return -1;
	}
	if (nvram) {
		vm_log_step("remove %s", nvram);
		if (!o->dry_run && unlink(nvram) < 0 && errno != ENOENT)
			return vm_err_sys(err, "remove %s", nvram);
	}
	return 0;
}

/* ---- storage ---- */

/* Definitions are searched for the path as they spell it; a document that only mentions it counts.
 */
struct search {
	const struct undefine *u;
	const char *path;
	char user[VM_NAME_MAX + 1];
};

static int see_definition(int dirfd, const char *name, void *arg)
{
	struct search *s = arg;
	VM_AUTO_FREE char *text = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	size_t len = strlen(name);

	if (len < 5 || strcmp(name + len - 4, ".xml") != 0 || len - 4 > VM_NAME_MAX)
		return 0;
	if (strncmp(name, s->u->g->name, len - 4) == 0 && !s->u->g->name[len - 4])
		return 0;
	if (vm_file_read(dirfd, name, VM_DEFINITION_MAX, &text, NULL, NULL, &ignored) < 0 ||
	    !strstr(text, s->path))
		return 0;
	memcpy(s->user, name, len - 4);
	s->user[len - 4] = '\0';
	return 1;
}

static int check_users(const struct undefine *u, const char *path, struct vm_err *err)
{
	struct search s = {.u = u, .path = path};
	struct vm_record users = VM_RECORD_INIT;
	VM_AUTO_FREE char *key = NULL;
	const char *user;
	int r = 0;

	if (vm_claim_key_file(path, &key, err) < 0 ||
	    vm_claim_read(u->g->state, key, &users, err) < 0)
		return -1;
	user = vm_record_get(&users, "user");
	if (user)
		r = vm_err_set(err, VM_IN_USE, "%s is in use by %s", path, user);
	vm_record_free(&users);
	if (r < 0)
		return -1;
	if (vm_dir_each(u->g->state->etc, see_definition, &s, err) < 0)
		return -1;
	if (*s.user)
		return vm_err_set(err, VM_IN_USE, "%s is named in the definition of '%s', too",
				  path, s.user);
	return 0;
}

/* Only a file that is this guest's alone is removed. */
static int add_image(struct undefine *u, const struct vm_disk *disk, struct vm_err *err)
{
	const char *path = disk->source->path;
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			return vm_err_sys(err, "%s", path);
		vm_log_warning("%s is gone already", path);
		return 0;
	}
	if (!S_ISREG(st.st_mode)) {
		vm_err_set(err, VM_UNSUPPORTED, "disk %s: %s is no plain file", disk->target, path);
		return vm_err_hint(err, "remove it by its own means");
	}
	if (u->o->wipe && st.st_nlink > 1)
		return vm_err_set(err, VM_IN_USE, "%s has other names: wiping would destroy them",
				  path);
	if (check_users(u, path, err) < 0)
		return -1;
	u->images = vm_xreallocarray(u->images, u->n_images + 1, sizeof(*u->images));
	u->images[u->n_images++] = vm_xstrdup(path);
	return 0;
}

static const struct vm_disk *find_disk(const struct undefine *u, const char *word)
{
	for (uint32_t i = 0; i < u->domain->disks.n; i++) {
		const struct vm_disk *disk = u->domain->disks.v[i];

		if (disk->source && disk->source->path &&
		    (strcmp(disk->target, word) == 0 || strcmp(disk->source->path, word) == 0))
			return disk;
	}
	return NULL;
}

static int choose_images(struct undefine *u, struct vm_err *err)
{
	const struct vm_undefine *o = u->o;

	if (!o->all_storage && !o->n_storage)
		return 0;
	if (u->g->active)
		return vm_err_set(err, VM_IN_USE,
				  "is running: its storage can be removed when it is off");
	for (size_t i = 0; i < o->n_storage; i++) {
		const struct vm_disk *disk = find_disk(u, o->storage[i]);

		if (!disk)
			return vm_err_set(err, VM_NOT_FOUND, "has no disk '%s' with a source",
					  o->storage[i]);
		if (add_image(u, disk, err) < 0)
			return -1;
	}
	for (uint32_t i = 0; o->all_storage && i < u->domain->disks.n; i++) {
		const struct vm_disk *disk = u->domain->disks.v[i];

		if (!disk->source || !disk->source->path)
			continue;
		if (disk->readonly || disk->shareable || disk->device == VM_DISK_CDROM ||
		    disk->device == VM_DISK_FLOPPY) {
			vm_log_warning("%s is kept: %s", disk->source->path,
				       disk->shareable ? "it is shared" : "it is a medium");
			continue;
		}
		if (add_image(u, disk, err) < 0)
			return -1;
	}
	return 0;
}

static int wipe(const char *path, struct vm_err *err)
{
	VM_AUTO_FD int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	VM_AUTO_FREE char *zeros = vm_xcalloc(1, WIPE_BLOCK);
	struct stat st;
	off_t at = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vm_err_sys(err, "open %s", path);
	while (at < st.st_size) {
		size_t rest = (size_t)(st.st_size - at);
		ssize_t n = pwrite(fd, zeros, rest < WIPE_BLOCK ? rest : WIPE_BLOCK, at);

		if (n < 0 || vm_wait_interrupted()) {
			errno = n < 0 ? errno : EINTR;
			return vm_err_sys(err, "wipe %s", path);
		}
		at += n;
	}
	return fdatasync(fd) < 0 ? vm_err_sys(err, "wipe %s", path) : 0;
}

/* Before the definition, which a repeated command needs to find what is left. */
static int remove_images(const struct undefine *u, struct vm_err *err)
{
	for (size_t i = 0; i < u->n_images; i++) {
		const char *path = u->images[i];

		vm_log_step("%s %s", u->o->wipe ? "wipe and remove" : "remove", path);
		if (u->o->dry_run)
			continue;
		if (u->o->wipe && wipe(path, err) < 0)
			return -1;
		if (unlink(path) < 0 && errno != ENOENT)
			return vm_err_sys(err, "remove %s", path);
	}
	return 0;
}

/* ---- the whole ---- */

static int remove_definition(const struct undefine *u, struct vm_err *err)
{
	struct vm_guest *g = u->g;

	vm_log_step("remove %s/%s.xml", g->state->etc_path, g->name);
	if (u->o->dry_run)
		return 0;
	if (g->active) {
		/* First: a run that ends now must know that nothing else is left of it. */
		vm_record_set(&g->record, VM_KEY_PERSISTENT, "no");
		if (vm_guest_record_write(g, err) < 0)
			return -1;
	}
	return vm_definition_remove(g, err);
}

static int undefine(struct undefine *u, struct vm_err *err)
{
	if (load(u, err) < 0 || check_rest(u, err) < 0 || choose_images(u, err) < 0)
		return -1;
	if (remove_images(u, err) < 0 || remove_rest(u, err) < 0)
		return -1;
	return remove_definition(u, err);
}

int vm_guest_undefine(const struct vm_state *s, const char *ref, const struct vm_undefine *o,
		      struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(free_undefine) struct undefine u = {.o = o, .g = &g};
	unsigned flags = VM_GUEST_DEFINED | VM_GUEST_BY_NAME | (o->dry_run ? 0 : VM_GUEST_LOCKED);

	if (vm_guest_open(s, ref, flags, deadline, &g, err) < 0)
		return vm_err_object(err, ref);
	if (undefine(&u, err) < 0)
		return vm_err_object(err, g.name);
	return 0;
}
