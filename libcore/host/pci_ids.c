/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of PCI devices, from the list that distributions install, with those of classes for when there is none. */
#include "pci.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/strbuf.h>

#define LIST_MAX (16u << 20) /* bytes: ten times what it is */
#define NAME_MAX_BYTES 160   /* of a vendor's and a device's name each */

struct vm_pci_ids {
	char *text; /* NULL: there is no list */
};

/* Source: PCI Code and ID Assignment Specification 1.11: what a class is, and the more common subclasses. */
static const struct {
	uint32_t class; /* of 24 bits the upper 8 or 16 */
	bool sub;
	const char *name;
} classes[] = {
	{ 0x0100, true, "SCSI controller" },
	{ 0x0101, true, "IDE interface" },
	{ 0x0104, true, "RAID controller" },
	{ 0x0106, true, "SATA controller" },
	{ 0x0107, true, "SAS controller" },
	{ 0x0108, true, "NVMe controller" },
	{ 0x01, false, "Storage controller" },
	{ 0x0200, true, "Ethernet controller" },
	{ 0x0207, true, "InfiniBand controller" },
	{ 0x02, false, "Network controller" },
	{ 0x0300, true, "VGA compatible controller" },
	{ 0x0302, true, "3D controller" },
	{ 0x03, false, "Display controller" },
	{ 0x0403, true, "Audio device" },
	{ 0x04, false, "Multimedia controller" },
	{ 0x05, false, "Memory controller" },
	{ 0x0600, true, "Host bridge" },
	{ 0x0601, true, "ISA bridge" },
	{ 0x0604, true, "PCI bridge" },
	{ 0x06, false, "Bridge" },
	{ 0x07, false, "Communication controller" },
	{ 0x0805, true, "SD host controller" },
	{ 0x0806, true, "IOMMU" },
	{ 0x08, false, "System peripheral" },
	{ 0x09, false, "Input device" },
	{ 0x0b, false, "Processor" },
	{ 0x0c03, true, "USB controller" },
	{ 0x0c05, true, "SMBus" },
	{ 0x0c, false, "Serial bus controller" },
	{ 0x0d, false, "Wireless controller" },
	{ 0x10, false, "Encryption controller" },
	{ 0x11, false, "Signal processing controller" },
	{ 0x12, false, "Processing accelerator" },
};

static const char *class_name(uint32_t class)
{
	for (size_t i = 0; i < VM_COUNT(classes); i++)
		if (classes[i].class == (classes[i].sub ? class >> 8 : class >> 16))
			return classes[i].name;
	return "Device";
}

struct vm_pci_ids *vm_pci_ids_load(const struct vm_sys *s)
{
	static const char *const dirs[] = { "usr/share/misc", "usr/share/hwdata", "usr/share" };
	struct vm_pci_ids *ids = vm_xcalloc(1, sizeof(*ids));

	for (size_t i = 0; i < VM_COUNT(dirs) && ids->text == NULL; i++) {
		VM_AUTO_FD int dir = vm_sys_dir(s, dirs[i]);
		VM_AUTO_FD int fd = dir < 0 ? -1 : openat(dir, "pci.ids", O_RDONLY | O_CLOEXEC);
		struct vm_err ignored = VM_ERR_INIT;

		if (fd >= 0)
			vm_fd_read(fd, "pci.ids", LIST_MAX, &ids->text, NULL, &ignored);
	}
	return ids;
}

void vm_pci_ids_free(struct vm_pci_ids **ids)
{
	if (*ids != NULL)
		free((*ids)->text);
	free(*ids);
	*ids = NULL;
}

/* The name in the line between from and to that begins with `head`, a newline, an id and two blanks. */
static const char *find_line(const char *from, const char *to, const char *head, size_t *ret_len)
{
	const char *p = memmem(from, (size_t)(to - from), head, strlen(head)), *end;

	if (p == NULL)
		return NULL;
	p += strlen(head);
	end = memchr(p, '\n', (size_t)(to - p));
	*ret_len = (size_t)((end != NULL ? end : to) - p);
	return *ret_len > 0 ? p : NULL;
}

/* Where the devices of the vendor whose name ends at `from` end: at the next line that is not indented. */
static const char *block_end(const char *from)
{
	const char *p = strchr(from, '\n');

	while (p != NULL && (p[1] == '\t' || p[1] == '#'))
		p = strchr(p + 1, '\n');
	return p != NULL ? p : from + strlen(from);
}

static void add(struct vm_strbuf *b, const char *name, size_t len)
{
	VM_AUTO_FREE char *copy = vm_xstrndup(name, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES);

	vm_strbuf_puts(b, copy);
}

char *vm_pci_describe(const struct vm_pci_ids *ids, uint16_t vendor, uint16_t device, uint32_t class)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	const char *name = NULL, *end;
	char head[16];
	size_t len;

	if (ids->text != NULL) {
		snprintf(head, sizeof(head), "\n%04x  ", vendor);
		name = find_line(ids->text, ids->text + strlen(ids->text), head, &len);
	}
	if (name == NULL) {
		vm_strbuf_puts(&b, class_name(class));
		return vm_strbuf_take(&b);
	}
	add(&b, name, len);
	vm_strbuf_putc(&b, ' ');
	end = block_end(name);
	snprintf(head, sizeof(head), "\n\t%04x  ", device);
	name = find_line(name, end, head, &len);
	if (name != NULL)
		add(&b, name, len);
	else
		vm_strbuf_puts(&b, class_name(class));
	return vm_strbuf_take(&b);
}
