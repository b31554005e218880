/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware that the document leaves to us (<os firmware='efi'>), from the descriptors that firmware packages bring.
 *
 * Source: docs/interop/firmware.json of QEMU 7.2 (format, directories, which file hides which); libvirt's formatdomain,
 * "BIOS bootloader", for what the document asks of it.
 */
#include "qemu/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#define SHIPPED	       "/usr/share/qemu/firmware"
#define CONFIGURED     "/etc/qemu/firmware"
#define OWN	       "qemu/firmware" /* below $XDG_CONFIG_HOME, of an ordinary user */
#define DESCRIPTORS_MAX 256u
#define DESCRIPTOR_MAX	(64u << 10) /* bytes */

/* ---- where they are ---- */

struct found {
	char *name, *dir; /* owned */
};
struct descriptors {
	struct found v[DESCRIPTORS_MAX];
	size_t n;
	const char *dir; /* at hand */
};

static void descriptors_free(struct descriptors *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].name);
		free(d->v[i].dir);
	}
}

/* A file of the same name in a later directory hides the one before. */
static int add_found(int dirfd, const char *name, void *arg)
{
	struct descriptors *d = arg;
	size_t len = strlen(name), i = 0;

	(void)dirfd;
	if (name[0] == '.' || len < 6 || strcmp(name + len - 5, ".json") != 0)
		return 0;
	while (i < d->n && strcmp(d->v[i].name, name) != 0)
		i++;
	if (i == DESCRIPTORS_MAX) {
		vm_log_warning("%s: more than %u firmware descriptors", d->dir, DESCRIPTORS_MAX);
		return 0;
	}
	if (i == d->n) {
		d->v[d->n++] = (struct found){ vm_xstrdup(name), vm_xstrdup(d->dir) };
		return 0;
	}
	free(d->v[i].dir);
	d->v[i].dir = vm_xstrdup(d->dir);
	return 0;
}

static int add_dir(struct descriptors *d, const char *path, struct vm_err *err)
{
	VM_AUTO_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : vm_err_sys(err, "open %s", path);
	d->dir = path;
	return vm_dir_each(dir, add_found, d, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static int find_descriptors(struct descriptors *d, struct vm_err *err)
{
	VM_AUTO_FREE char *configured = vm_state_path(CONFIGURED);
	const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
	VM_AUTO_FREE char *own = NULL;

	if (geteuid() != 0 && config != NULL && *config == '/')
		own = vm_xasprintf("%s/" OWN, config);
	else if (geteuid() != 0 && home != NULL && *home == '/')
		own = vm_xasprintf("%s/.config/" OWN, home);
	if (add_dir(d, SHIPPED, err) < 0 || add_dir(d, configured, err) < 0 ||
	    (own != NULL && add_dir(d, own, err) < 0))
		return -1;
	qsort(d->v, d->n, sizeof(d->v[0]), by_name);
	return 0;
}

/* ---- what one offers ---- */

struct firmware {
	const char *loader, *template; /* borrowed from the descriptor; template NULL: keeps no variables */
	bool flash;		       /* else a ROM */
	bool smm;		       /* needs it, to keep the variables from the guest's system */
};

static bool has_word(const json_t *list, const char *word)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), word) == 0)
			return true;
	return false;
}

static bool fits_machine(const json_t *root, const struct vm_os *os)
{
	const char *arch = os->arch != NULL ? os->arch : "x86_64";
	const char *machine = vm_qemu_machine(os->machine);
	const json_t *targets = json_object_get(root, "targets"), *target, *pattern;
	size_t i, k;

	json_array_foreach(targets, i, target) {
		const char *its = json_string_value(json_object_get(target, "architecture"));

		if (its == NULL || strcmp(its, arch) != 0)
			continue;
		json_array_foreach(json_object_get(target, "machines"), k, pattern)
			if (json_is_string(pattern) &&
			    fnmatch(json_string_value(pattern), machine, 0) == 0)
				return true;
	}
	return false;
}

/* An absolute path in raw format. */
static const char *file_of(const json_t *mapping, const char *key)
{
	const json_t *file = json_object_get(mapping, key);
	const char *name = json_string_value(json_object_get(file, "filename"));
	const char *format = json_string_value(json_object_get(file, "format"));

	return name != NULL && name[0] == '/' && (format == NULL || strcmp(format, "raw") == 0)
		   ? name
		   : NULL;
}

/* NULL, or why this driver cannot use it. */
static const char *read_mapping(const json_t *root, struct firmware *ret)
{
	const json_t *mapping = json_object_get(root, "mapping");
	const char *device = json_string_value(json_object_get(mapping, "device"));
	const char *mode = json_string_value(json_object_get(mapping, "mode"));

	if (device != NULL && strcmp(device, "memory") == 0) {
		ret->loader = json_string_value(json_object_get(mapping, "filename"));
		return ret->loader != NULL && ret->loader[0] == '/' ? NULL : "it names no file";
	}
	if (device == NULL || strcmp(device, "flash") != 0)
		return "it is neither flash nor ROM";
	ret->flash = true;
	ret->loader = file_of(mapping, "executable");
	if (ret->loader == NULL)
		return "its executable is no raw image";
	if (mode != NULL && strcmp(mode, "stateless") == 0)
		return NULL;
	if (mode != NULL && strcmp(mode, "split") != 0)
		return "its code and variables are in one image";
	ret->template = file_of(mapping, "nvram-template");
	return ret->template != NULL ? NULL : "its template of variables is no raw image";
}

static const char *check_wishes(const struct vm_domain *d, const json_t *features)
{
	static const struct {
		int name;
		const char *word, *lacks, *has;
	} of[] = {
		{ VM_FIRMWARE_SECURE_BOOT, "secure-boot", "it has no secure boot", "it has secure boot" },
		{ VM_FIRMWARE_ENROLLED_KEYS, "enrolled-keys", "it has no keys enrolled",
		  "it has keys enrolled" },
	};

	for (uint32_t i = 0; i < d->os->firmware_features.n; i++) {
		const struct vm_firmware_feature *f = d->os->firmware_features.v[i];

		for (size_t k = 0; k < VM_COUNT(of); k++) {
			if (of[k].name != f->name)
				continue;
			if (has_word(features, of[k].word) != (f->enabled == VM_SWITCH_ON))
				return f->enabled == VM_SWITCH_ON ? of[k].lacks : of[k].has;
		}
	}
	if (d->suspend_to_mem == VM_SWITCH_ON && !has_word(features, "acpi-s3"))
		return "it cannot suspend to memory";
	if (d->suspend_to_disk == VM_SWITCH_ON && !has_word(features, "acpi-s4"))
		return "it cannot suspend to disk";
	return NULL;
}

/* NULL: it is what the document asks for, or why not. */
static const char *judge(const struct vm_domain *d, const json_t *root, struct firmware *ret)
{
	const struct vm_os *os = d->os;
	const json_t *features = json_object_get(root, "features");
	const char *why;

	if (!has_word(json_object_get(root, "interface-types"),
		      os->firmware == VM_FIRMWARE_EFI ? "uefi" : "bios"))
		return "it has another interface";
	if (!fits_machine(root, os))
		return "it is for other machines";
	if ((why = read_mapping(root, ret)) != NULL || (why = check_wishes(d, features)) != NULL)
		return why;
	if (os->loader_stateless == VM_SWITCH_ON && ret->template != NULL)
		return "it keeps variables";
	if ((os->loader_stateless == VM_SWITCH_OFF || os->nvram != NULL) && ret->template == NULL)
		return "it keeps no variables";
	ret->smm = has_word(features, "requires-smm");
	if (ret->smm && d->features != NULL && d->features->smm == VM_SWITCH_OFF)
		return "it needs SMM, which is off";
	return NULL;
}

/* ---- the choice ---- */

static void set_text(struct vm_os *os, unsigned bit, char **datum, const char *value)
{
	free(*datum);
	*datum = vm_xstrdup(value);
	mt_assigned(&os->obj, bit);
}

static void set_word(struct vm_os *os, unsigned bit, int *datum, int value)
{
	*datum = value;
	mt_assigned(&os->obj, bit);
}

static void apply(struct vm_domain *d, const struct firmware *f)
{
	struct vm_os *os = d->os;

	set_text(os, VM_OS_BIT_LOADER, &os->loader, f->loader);
	set_word(os, VM_OS_BIT_LOADER_TYPE, &os->loader_type,
		 f->flash ? VM_LOADER_PFLASH : VM_LOADER_ROM);
	if (f->flash)
		set_word(os, VM_OS_BIT_LOADER_READONLY, &os->loader_readonly, VM_SWITCH_ON);
	if (f->flash && f->template == NULL)
		set_word(os, VM_OS_BIT_LOADER_STATELESS, &os->loader_stateless, VM_SWITCH_ON);
	if (f->template != NULL)
		set_text(os, VM_OS_BIT_NVRAM_TEMPLATE, &os->nvram_template, f->template);
	if (f->smm) {
		set_word(os, VM_OS_BIT_LOADER_SECURE, &os->loader_secure, VM_SWITCH_ON);
		/* UEFI needs ACPI, so the element is there. */
		if (d->features != NULL)
			vm_features_enable_smm(d->features);
	}
}

static int none_fits(const struct vm_domain *d, struct vm_err *err)
{
	const struct vm_os *os = d->os;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf wishes = VM_STRBUF_INIT;

	for (uint32_t i = 0; i < os->firmware_features.n; i++) {
		const struct vm_firmware_feature *f = os->firmware_features.v[i];

		vm_strbuf_printf(&wishes, "%s%s %s", i > 0 ? " and " : " ",
				 f->enabled == VM_SWITCH_ON ? "with" : "without",
				 vm_firmware_feature_words[f->name]);
	}
	vm_err_set(err, VM_NOT_FOUND, "no firmware in %s is for firmware='%s' on %s%s", SHIPPED,
		   vm_firmware_words[os->firmware], vm_qemu_machine(os->machine),
		   wishes.text != NULL ? wishes.text : "");
	return vm_err_hint(err, "install it (package ovmf or edk2-ovmf), or name a <loader>; --verbose tells why "
				"each was passed over");
}

int vm_qemu_choose_firmware(struct vm_domain *d, struct vm_err *err)
{
	VM_AUTO(descriptors_free) struct descriptors all = { .n = 0 };

	if (d->os->firmware == VM_FIRMWARE_ABSENT || d->os->loader != NULL)
		return 0;
	if (find_descriptors(&all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", all.v[i].dir, all.v[i].name);
		struct firmware f = { .flash = false };
		VM_AUTO_FREE char *text = NULL;
		json_error_t where;
		const char *why;
		json_t *root;
		size_t len;

		if (vm_file_read(AT_FDCWD, path, DESCRIPTOR_MAX, &text, &len, NULL, err) < 0)
			return -1;
		/* an empty one hides what is shipped under its name */
		if (len == 0)
			continue;
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
		if (root == NULL) {
			vm_err_set(err, VM_BAD_INPUT, "%s:%d:%d: no firmware descriptor: %s", path,
				   where.line, where.column, where.text);
			return vm_err_hint(err, "mend it, or hide it by an empty " CONFIGURED "/%s",
					   all.v[i].name);
		}
		why = judge(d, root, &f);
		if (why == NULL)
			apply(d, &f);
		vm_log_step("firmware %s: %s", path, why != NULL ? why : "chosen");
		json_decref(root);
		if (why == NULL)
			return 0;
	}
	/* QEMU has a BIOS of its own. */
	if (d->os->firmware == VM_FIRMWARE_BIOS)
		return 0;
	return none_fits(d, err);
}
