/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chain.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "domain.h"
#include "host/image.h"

/* As QEMU reads a name: something before the first ':' that is no directory is a protocol. */
static bool has_protocol(const char *name)
{
	size_t word = strcspn(name, ":/");

	return name[word] == ':';
}

/* A relative name begins where the image above is, by the name that one has. */
static char *path_of(const char *above, const char *name)
{
	const char *slash = strrchr(above, '/');

	return *name == '/' ? vm_xstrdup(name)
			    : vm_xasprintf("%.*s/%s", slash != NULL ? (int)(slash - above) : 0, above, name);
}

struct seen {
	dev_t dev;
	ino_t ino;
};

/* Its type too: a file or a block device. */
static int see(const char *path, struct seen *seen, unsigned n, int *ret_type, struct vm_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return vm_err_sys(err, "%s", path);
	for (unsigned i = 0; i < n; i++)
		if (seen[i].dev == st.st_dev && seen[i].ino == st.st_ino)
			return vm_err_set(err, VM_BAD_INPUT, "%s: the chain of images leads back to it", path);
	seen[n] = (struct seen){ st.st_dev, st.st_ino };
	*ret_type = S_ISBLK(st.st_mode) ? VM_DISK_BLOCK : VM_DISK_FILE;
	return 0;
}

static int check_header(const char *path, const struct vm_image *image, struct vm_err *err)
{
	if (has_protocol(image->backing))
		return vm_err_set(err, VM_UNSUPPORTED, "%s: the image below it is '%s', which is no file", path,
				  image->backing);
	if (*image->format == 0) {
		vm_err_set(err, VM_BAD_INPUT, "%s does not say the format of the image below it, %s", path,
			   image->backing);
		return vm_err_hint(err, "say it in a <backingStore>, or once for all by: qemu-img rebase -u -F FORMAT -b %s %s",
				   image->backing, path);
	}
	if (!vm_disk_is_format(image->format))
		return vm_err_set(err, VM_UNSUPPORTED, "%s: image format '%s' is not supported", path,
				  image->format);
	return 0;
}

static int find_chain(struct vm_disk *disk, struct vm_backing_store **ret, struct vm_deadline deadline,
		      struct vm_err *err)
{
	struct seen seen[VM_IMAGE_CHAIN_MAX];
	VM_AUTO_FREE char *path = vm_xstrdup(disk->source->path);
	VM_AUTO_FREE char *format = vm_xstrdup(disk->format);
	struct vm_backing_store **at = ret;
	struct vm_image image;
	int type = VM_DISK_FILE;

	for (unsigned n = 0;; n++) {
		char *below;

		if (n == VM_IMAGE_CHAIN_MAX)
			return vm_err_set(err, VM_BAD_INPUT, "more than %u images below one another", n);
		if (see(path, seen, n, &type, err) < 0)
			return -1;
		if (n > 0)
			at = vm_backing_add(at, type, path, format);
		if (!vm_image_has_backing(format))
			break;
		if (vm_image_look(path, format, deadline, &image, err) < 0)
			return -1;
		if (*image.backing == 0)
			break;
		if (check_header(path, &image, err) < 0)
			return -1;
		below = path_of(path, image.backing);
		free(path);
		path = below;
		free(format);
		format = vm_xstrdup(image.format);
	}
	vm_backing_add(at, VM_DISK_TYPE_NONE, NULL, NULL);
	return 0;
}

int vm_domain_find_chains(struct vm_domain *d, bool lenient, struct vm_deadline deadline, struct vm_err *err)
{
	for (uint32_t i = 0; i < d->disks.n; i++) {
		struct vm_disk *disk = d->disks.v[i];
		struct vm_backing_store *found = NULL;

		if (disk->backing != NULL || disk->source == NULL || disk->source->path == NULL ||
		    disk->format == NULL || !vm_image_has_backing(disk->format))
			continue;
		if (find_chain(disk, &found, deadline, err) == 0) {
			vm_disk_set_backing(disk, found);
			continue;
		}
		vm_backing_free(found);
		if (!lenient)
			return vm_err_wrap(err, "disk %s", disk->target);
		*err = VM_ERR_INIT;
	}
	return 0;
}
