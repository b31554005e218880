/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of disk images.  Runs where no system call may be made. */
#include <stdbool.h>
#include <string.h>

#include "image.h"

/* A window of bytes; what lies outside reads as "no". */
struct head {
	const uint8_t *at;
	size_t size;
};

static bool has(const struct head *h, uint64_t from, uint64_t len)
{
	return from <= h->size && len <= h->size - from;
}

static uint64_t big(const struct head *h, size_t from, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | h->at[from + i];
	return n;
}

static uint64_t little(const struct head *h, size_t from, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = bytes; i > 0; i--)
		n = n << 8 | h->at[from + i - 1];
	return n;
}

static bool copy(const struct head *h, uint64_t from, uint64_t len, char *to, size_t max)
{
	if (len > max || !has(h, from, len) || memchr(h->at + from, 0, (size_t)len) != NULL)
		return false;
	memcpy(to, h->at + from, (size_t)len);
	to[len] = 0;
	return true;
}

/* ---- qcow2 ---- */

enum { QCOW2_BACKING = 8, QCOW2_BACKING_LEN = 16, QCOW2_CLUSTER_BITS = 20, QCOW2_INCOMPATIBLE = 72,
       QCOW2_HEADER_LEN = 100 };
#define QCOW2_MAGIC	     0x514649fbu
#define QCOW2_V2_HEADER	     72u
#define QCOW2_V3_HEADER	     104u
#define QCOW2_EXTERNAL_DATA  4u /* of the incompatible features */
#define QCOW2_BACKING_FORMAT 0xe2792acau

static enum vm_image_verdict qcow2_format(const struct head *h, uint64_t from, uint64_t end,
					  struct vm_image *ret)
{
	while (from + 8 <= end && has(h, from, 8)) {
		uint64_t type = big(h, (size_t)from, 4), len = big(h, (size_t)from + 4, 4);

		from += 8;
		if (type == 0)
			return VM_IMAGE_OK;
		if (len > end - from)
			return VM_IMAGE_BROKEN;
		if (type == QCOW2_BACKING_FORMAT && !copy(h, from, len, ret->format, VM_IMAGE_FORMAT_MAX))
			return VM_IMAGE_BROKEN;
		from += (len + 7) & ~UINT64_C(7);
	}
	return VM_IMAGE_OK;
}

static enum vm_image_verdict qcow2(const struct head *h, struct vm_image *ret)
{
	uint64_t version, name, len, bits, header = QCOW2_V2_HEADER;

	if (!has(h, 0, QCOW2_V2_HEADER) || big(h, 0, 4) != QCOW2_MAGIC)
		return VM_IMAGE_NOT_IT;
	version = big(h, 4, 4);
	name = big(h, QCOW2_BACKING, 8);
	len = big(h, QCOW2_BACKING_LEN, 4);
	bits = big(h, QCOW2_CLUSTER_BITS, 4);
	if (version != 2 && version != 3)
		return VM_IMAGE_NOT_IT;
	if (bits < 9 || bits > 21)
		return VM_IMAGE_BROKEN;
	if (version == 3) {
		if (!has(h, 0, QCOW2_V3_HEADER))
			return VM_IMAGE_BROKEN;
		header = big(h, QCOW2_HEADER_LEN, 4);
		if (header < QCOW2_V3_HEADER || header > UINT64_C(1) << bits)
			return VM_IMAGE_BROKEN;
		if ((big(h, QCOW2_INCOMPATIBLE, 8) & QCOW2_EXTERNAL_DATA) != 0)
			return VM_IMAGE_OTHER_FILES;
	}
	if (name == 0)
		return VM_IMAGE_OK;
	if (len == 0 || name < header || name > (UINT64_C(1) << bits) - len ||
	    !copy(h, name, len, ret->backing, VM_IMAGE_NAME_MAX))
		return VM_IMAGE_BROKEN;
	return qcow2_format(h, header, name, ret);
}

/* ---- qcow, qed ---- */

static enum vm_image_verdict qcow(const struct head *h, struct vm_image *ret)
{
	uint64_t name, len;

	if (!has(h, 0, 48) || big(h, 0, 4) != QCOW2_MAGIC || big(h, 4, 4) != 1)
		return VM_IMAGE_NOT_IT;
	name = big(h, 8, 8);
	len = big(h, 16, 4);
	return name == 0 || (len > 0 && copy(h, name, len, ret->backing, VM_IMAGE_NAME_MAX)) ? VM_IMAGE_OK
											     : VM_IMAGE_BROKEN;
}

#define QED_BACKING 1u
#define QED_RAW	    4u /* what is below is raw */

static enum vm_image_verdict qed(const struct head *h, struct vm_image *ret)
{
	uint64_t features;

	if (!has(h, 0, 64) || memcmp(h->at, "QED", 4) != 0)
		return VM_IMAGE_NOT_IT;
	features = little(h, 16, 8);
	if ((features & QED_BACKING) == 0)
		return VM_IMAGE_OK;
	if (little(h, 60, 4) == 0 ||
	    !copy(h, little(h, 56, 4), little(h, 60, 4), ret->backing, VM_IMAGE_NAME_MAX))
		return VM_IMAGE_BROKEN;
	if ((features & QED_RAW) != 0)
		strcpy(ret->format, "raw");
	return VM_IMAGE_OK;
}

/* ---- vmdk: a sparse file with its description in it ---- */

#define VMDK_SECTOR	 512u
#define VMDK_DESCRIPTION (64u << 10)

static bool starts(const struct head *text, size_t at, const char *word)
{
	size_t len = strlen(word);

	return has(text, at, len) && memcmp(text->at + at, word, len) == 0;
}

static enum vm_image_verdict vmdk(const struct head *h, struct vm_image *ret)
{
	struct head text;
	uint64_t from, len;

	(void)ret;
	if (starts(h, 0, "# Disk DescriptorFile"))
		return VM_IMAGE_OTHER_FILES;
	if (!has(h, 0, 512) || !starts(h, 0, "KDMV"))
		return VM_IMAGE_NOT_IT;
	from = little(h, 28, 8);
	len = little(h, 36, 8);
	if (from == 0)
		return VM_IMAGE_OK;
	if (from > VM_IMAGE_HEAD_MAX / VMDK_SECTOR || len == 0 || len > VMDK_DESCRIPTION / VMDK_SECTOR ||
	    !has(h, from * VMDK_SECTOR, len * VMDK_SECTOR))
		return VM_IMAGE_BROKEN;
	text = (struct head){ h->at + from * VMDK_SECTOR, (size_t)len * VMDK_SECTOR };
	for (size_t at = 0; at < text.size && text.at[at] != 0; at++) {
		if (at > 0 && text.at[at - 1] != '\n')
			continue;
		/* Other extents than the one in this file, or a parent by a name of VMware's own. */
		if (starts(&text, at, "parentFileNameHint") ||
		    (starts(&text, at, "parentCID=") && !starts(&text, at, "parentCID=ffffffff")))
			return VM_IMAGE_OTHER_FILES;
	}
	return VM_IMAGE_OK;
}

/* ---- by name ---- */

static const struct {
	const char *name;
	enum vm_image_verdict (*parse)(const struct head *h, struct vm_image *ret);
} formats[] = { { "qcow2", qcow2 }, { "qcow", qcow }, { "qed", qed }, { "vmdk", vmdk } };

bool vm_image_has_backing(const char *format)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(format, formats[i].name) == 0)
			return true;
	return false;
}

enum vm_image_verdict vm_image_parse(const char *format, const uint8_t *head, size_t size, struct vm_image *ret)
{
	const struct head h = { head, size };

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(format, formats[i].name) == 0)
			return formats[i].parse(&h, ret);
	return VM_IMAGE_OK;
}
