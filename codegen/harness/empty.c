/* SPDX-License-Identifier: 0BSD */
/* empty.c - a program that does nothing: whether a compiler's sanitizers work here. */
int main(void)
{
    return 0;
}
