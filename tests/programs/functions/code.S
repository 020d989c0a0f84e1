/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions whose every byte tests/unit/test_functions.c knows; never run. */
	.text

	.macro begin name
	.type	\name, @function
	.globl	\name
	.p2align 4
\name:
.L\name:	/* what is jumped to: a jump to a global name has one length or another */
	.endm
	.macro end name
	.size	\name, . - \name
	.endm

	begin with_cold		/* exits: ret, je away, and its cold part's ret */
	endbr64
	push	%rbp
	test	%edi, %edi
	js	.Lwith_cold.cold
	pop	%rbp
.Lreturn:
	ret
	cmp	$1, %edi
	je	.Laway
	jmp	.Lreturn
	end with_cold

	begin with_cold.cold
	pop	%rbp
	neg	%edi
	js	0f
	jmp	.Lreturn
0:	ret
	end with_cold.cold

	begin away
	push	%rbx
	pop	%rbx
	ret
	end away

	begin tail		/* exit: 4 jmp away */
	sub	$8, %rsp
	add	$8, %rsp
	jmp	.Laway
	end tail

	begin dispatch		/* exits: the ret alone, as the jump goes through a table of its own */
	cmp	$3, %edi
	ja	0f
	lea	0f(%rip), %rdx
	movslq	(%rdx,%rdi,4), %rax
	add	%rdx, %rax
	jmp	*%rax
0:	ret
	end dispatch

	begin tracked		/* the same, marked */
	mov	%rdi, %rax
	notrack jmp *%rax
	nop
	ret
	end tracked

	begin pointer		/* exits: both jumps */
	mov	8(%rdi), %rax
	test	%rax, %rax
	je	0f
	jmp	*%rax
0:	jmp	*16(%rdi)
	end pointer

	begin anywhere		/* cannot be told: the code behind might be where it leads */
	jmp	*(%rdi,%rsi,8)
	mov	%edi, %eax
	ret
	end anywhere

	begin again		/* its loop begins at its entry */
	dec	%edi
	jne	.Lagain
	ret
	end again

	begin itself		/* calls itself last */
	push	%rbx
	pop	%rbx
	test	%edi, %edi
	jne	.Litself
	ret
	end itself

	begin nothing
	ret
	end nothing

	begin marked_nothing	/* an exit behind an endbr64 */
	endbr64
	jmp	.Laway
	end marked_nothing

	begin garbage
	push	%rbx
	.byte	0x06
	ret
	end garbage

	begin between		/* jumps into an instruction */
	push	%rbx
	jmp	. + 4
	mov	$0x11223344, %eax
	pop	%rbx
	ret
	end between

	begin locked
	lock incl (%rdi)
	ret
	end locked

	.section .note.GNU-stack, "", @progbits
