/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * mode='host-model': the processor that a host can give to guests, as a model with a name, and features more and
 * less.  All of it is asked of QEMU: what it can provide here ("max", under KVM "host") and what its models are.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <vm/deadline.h>
#include <vm/err.h>
#include <vm/record.h>

struct vm_domain;
struct vm_state;
struct vm_xml;

#define VM_RECORD_HOSTCPU	  "vm-qemu-cpu"
#define VM_RECORD_HOSTCPU_VERSION 1

/* Keys of the description: a name, libvirt's word for the vendor (absent: unknown), and lists of libvirt's names
 * of features. */
#define VM_HOSTCPU_MODEL   "model"
#define VM_HOSTCPU_VENDOR  "vendor"
#define VM_HOSTCPU_REQUIRE "require"
#define VM_HOSTCPU_DISABLE "disable"

/* A model of QEMU: its name and its static expansion (query-cpu-model-expansion, "props"). */
struct vm_qemu_cpu_model {
	const char *name;
	const json_t *props; /* borrowed */
};
/*
 * The model that needs the fewest changes to become `host`: of the same vendor if there is one, with `by_signature`
 * of the same family and model if there is one; among equals the first by name.  Needs nothing but its arguments.
 * VM_HYPERVISOR: there is no model, or what there is is no description of a CPU.
 */
int vm_qemu_hostcpu_choose(const json_t *host, const struct vm_qemu_cpu_model *models, size_t n,
			   bool by_signature, struct vm_record *ret, struct vm_err *err);
/* Adds to the description what `got`, the expansion of the model with its features, still has more or less than the
 * host: one feature may bring others along. */
void vm_qemu_hostcpu_amend(const json_t *host, const json_t *got, struct vm_record *r);
/*
 * The host's, from <lib>/caps if it was found out with this binary (under KVM: since this boot), else by running the
 * binary (about 0.3 s).  s may be NULL: no cache is used.
 */
int vm_qemu_hostcpu(const struct vm_state *s, const char *emulator, bool kvm,
		    struct vm_deadline deadline, struct vm_record *ret, struct vm_err *err);
/*
 * Writes a document's host-model out: *ret is the document with the processor as this host would provide it, NULL if
 * it has no such.  What the document itself says of features, topology and caches stays.
 */
int vm_qemu_update_cpu(const struct vm_state *s, const struct vm_domain *d, const struct vm_xml *doc,
		       struct vm_deadline deadline, struct vm_xml **ret, struct vm_err *err);
