/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Devices with a program of the host behind them: tpm, filesystem. */
#include "device.h"

enum vm_tpm_model { VM_TPM_MODEL_ABSENT, VM_TPM_TIS, VM_TPM_CRB, VM_TPM_SPAPR, VM_TPM_SPAPR_PROXY };
enum vm_tpm_backend { VM_TPM_NONE, VM_TPM_PASSTHROUGH, VM_TPM_EMULATOR, VM_TPM_EXTERNAL };
enum vm_tpm_version { VM_TPM_VERSION_ABSENT, VM_TPM_1_2, VM_TPM_2_0 };
extern const char *const vm_tpm_model_words[], *const vm_tpm_backend_words[], *const vm_tpm_version_words[];
struct vm_tpm {
	struct vm_device dev;
	int model, backend, version;
	int persistent; /* no: a transient guest's state goes with it */
	int source_type, source_mode; /* external: 1 = unix; 1 = connect */
	char *path; /* external: the socket of a running emulator */
};
enum vm_tpm_bit {
	VM_TPM_BIT_MODEL,
	VM_TPM_BIT_BACKEND,
	VM_TPM_BIT_VERSION,
	VM_TPM_BIT_PERSISTENT,
	VM_TPM_BIT_SOURCE_TYPE,
	VM_TPM_BIT_SOURCE_MODE,
	VM_TPM_BIT_PATH
};
extern const struct mt_type vm_tpm_type;

enum vm_filesystem_kind {
	VM_FILESYSTEM_KIND_ABSENT,
	VM_FILESYSTEM_MOUNT,
	VM_FILESYSTEM_TEMPLATE,
	VM_FILESYSTEM_FILE,
	VM_FILESYSTEM_BLOCK,
	VM_FILESYSTEM_RAM,
	VM_FILESYSTEM_BIND,
	VM_FILESYSTEM_VOLUME
};
enum vm_filesystem_driver {
	VM_FILESYSTEM_DRIVER_ABSENT,
	VM_FILESYSTEM_PATH,
	VM_FILESYSTEM_HANDLE,
	VM_FILESYSTEM_LOOP,
	VM_FILESYSTEM_NBD,
	VM_FILESYSTEM_PLOOP,
	VM_FILESYSTEM_VIRTIOFS
};
enum vm_filesystem_cache { VM_FILESYSTEM_CACHE_ABSENT, VM_FILESYSTEM_CACHE_NONE, VM_FILESYSTEM_CACHE_ALWAYS };
enum vm_filesystem_sandbox {
	VM_FILESYSTEM_SANDBOX_ABSENT,
	VM_FILESYSTEM_SANDBOX_NAMESPACE,
	VM_FILESYSTEM_SANDBOX_CHROOT
};
extern const char *const vm_filesystem_kind_words[], *const vm_filesystem_driver_words[],
	*const vm_filesystem_cache_words[], *const vm_filesystem_sandbox_words[];
struct vm_filesystem { /* a directory of the host's that the guest mounts */
	struct vm_device dev;
	int kind, access, driver, model; /* model: enum vm_virtio_model of disk.h */
	uint64_t queue_size;		 /* 0 = absent */
	char *binary;			 /* the program, NULL = as the host has it */
	int xattr, posix_lock, flock;	 /* on/off */
	int cache, sandbox;
	uint64_t threads; /* 0 = absent */
	char *dir;	  /* source */
	char *socket;	  /* source of a program that somebody else runs */
	char *tag;	  /* target: what the guest mounts */
	bool readonly;
	struct vm_virtio_options virtio;
};
enum vm_filesystem_bit {
	VM_FILESYSTEM_BIT_KIND,
	VM_FILESYSTEM_BIT_ACCESS,
	VM_FILESYSTEM_BIT_MODEL,
	VM_FILESYSTEM_BIT_DRIVER,
	VM_FILESYSTEM_BIT_QUEUE_SIZE,
	VM_FILESYSTEM_BIT_BINARY,
	VM_FILESYSTEM_BIT_XATTR,
	VM_FILESYSTEM_BIT_CACHE,
	VM_FILESYSTEM_BIT_SANDBOX,
	VM_FILESYSTEM_BIT_POSIX_LOCK,
	VM_FILESYSTEM_BIT_FLOCK,
	VM_FILESYSTEM_BIT_THREADS,
	VM_FILESYSTEM_BIT_DIR,
	VM_FILESYSTEM_BIT_SOCKET,
	VM_FILESYSTEM_BIT_TAG,
	VM_FILESYSTEM_BIT_READONLY
};
extern const struct mt_type vm_filesystem_type;

struct vm_domain;
/* Rules across the domain: one TPM; shared memory for filesystems, with tags that differ. */
int vm_domain_check_helped(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err);
