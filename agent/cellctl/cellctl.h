/* agent/cellctl/cellctl.h - the parts of cellctl, one file each. Every one returns the exit status: 0 done, 1 failed, 2
 * wrong usage. */
#ifndef CELLROUTER_AGENT_CELLCTL_CELLCTL_H
#define CELLROUTER_AGENT_CELLCTL_CELLCTL_H

/* Sends the words as one command to the agent's admin socket and writes its output to stdout; "error: …" goes to
 * stderr. */
int cellctl_ask(const char *socket_path, char *const *words, int count);

/* `cellctl adopt`: reads cellrouter.conf and the site's files of HAProxy, count of them in the order in which HAProxy
 * gets them, and prints what is wrong with them and the diff that changes it. frontend: the one that shall adopt the
 * rules, NULL: those that lead to cells. Returns 0 only when nothing is wrong. */
int cellctl_adopt(const char *conf, const char *frontend, char *const *files, int count);

#endif
