/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a disk image's header says is below it.
 *
 * A guest writes its images, headers included: whoever reads one may be had by it.  vm_image_look() lets a process without any rights
 * do that, which can do nothing but read the image and say a few hundred bytes; those are taken as hostile too.
 *
 * The format is never guessed: it is what the document, or the header above, says.
 *
 * Source: QEMU docs/interop/qcow2.txt, docs/interop/qed_spec.txt, block/qcow.c; VMware Virtual Disk Format 5.0.
 */
#include <stddef.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>

#define VM_IMAGE_NAME_MAX   1023u	 /* bytes of a backing file's name; QEMU's own limit */
#define VM_IMAGE_FORMAT_MAX 15u
#define VM_IMAGE_HEAD_MAX   (2u << 20) /* that is read of an image: a qcow2 cluster */
/* Images of one disk, as QEMU's own limit of recursion would have it. */
#define VM_IMAGE_CHAIN_MAX 200u

struct vm_image {
	char backing[VM_IMAGE_NAME_MAX + 1];   /* as the header has it; "" = none */
	char format[VM_IMAGE_FORMAT_MAX + 1]; /* of that; "" = the header does not say */
};
/* Formats that can have an image below them. */
bool vm_image_has_backing(const char *format);

enum vm_image_verdict {
	VM_IMAGE_OK,
	VM_IMAGE_NOT_IT,	 /* no image of that format */
	VM_IMAGE_BROKEN,	 /* the header contradicts itself */
	VM_IMAGE_OTHER_FILES, /* its data are in other files than this and those below */
	VM_IMAGE_VERDICTS
};
/* Reads a header.  Pure: touches nothing but its arguments. */
enum vm_image_verdict vm_image_parse(const char *format, const uint8_t *head, size_t size, struct vm_image *ret);

/*
 * The same of a file, by a process that is nobody, may make no system call but to read and write what it has open, and gets
 * until the deadline.  VM_BAD_INPUT, VM_UNSUPPORTED and VM_TIMED_OUT name the file.
 */
int vm_image_look(const char *path, const char *format, struct vm_deadline deadline, struct vm_image *ret,
		  struct vm_err *err);
