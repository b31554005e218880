/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entry of the test guest. The loader enters PHYS32_ENTRY in 32-bit protected mode, paging off,
 * interrupts off. Source: Xen docs/misc/pvh.pandoc, "Initial machine state".
 */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4				/* name size */
	.long 4				/* descriptor size */
	.long 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long guest_entry

	.text
	.globl guest_entry
guest_entry:
	cli
	cld
	movl $guest_stack_top, %esp
	lgdt gdt_pointer
	ljmp $0x08, $1f
1:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	call guest_main
2:	cli
	hlt
	jmp 2b

/*
 * Sleeps until the next interrupt, the only place where one is let in. The handler returns with IF
 * clear (a plain return that drops CS and EFLAGS), so a line that stays high cannot interrupt again
 * before the main loop has looked at its device. No iret: KVM's instruction emulator lacks it.
 */
	.globl guest_sleep
guest_sleep:
	sti
	hlt
	cli
	ret

	.globl guest_irq
guest_irq:
	pushl %eax
	movb $0x20, %al
	outb %al, $0xa0
	outb %al, $0x20
	popl %eax
	ret $8

	.globl guest_fault
guest_fault:
	call guest_main_fault
2:	cli
	hlt
	jmp 2b

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 0x08: flat code */
	.quad 0x00cf93000000ffff	/* 0x10: flat data */
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.bss
	.balign 16
	.skip 16384
guest_stack_top:

	.section .note.GNU-stack, "", @progbits
