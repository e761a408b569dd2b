/* Lists a card's profiles, downloads a profile, shows its progress and enables it. Needs libcurl.
 * Usage: download EUICC ACTIVATION-CODE
 *
 * lpad writes JSON without spaces, and each name that this program searches for occurs once; a real program uses a JSON library.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *data;
    size_t length;
};

static size_t append(char *from, size_t size, size_t count, void *to)
{
    struct text *text = to;
    char *longer = realloc(text->data, text->length + size * count + 1);
    if (longer == NULL)
        return 0;
    text->data = longer;
    memcpy(text->data + text->length, from, size * count);
    text->length += size * count;
    text->data[text->length] = '\0';
    return size * count;
}

/* Replaces characters that control the terminal in a text from a card or server, and returns the text: ASCII's control characters, and
 * in UTF-8 those of Latin-1 (C2 80 to 9F) and of Unicode's general punctuation, such as marks of direction (E2 80 8B to AE, E2 81 A0 to AF). */
static char *shown(char *text)
{
    unsigned char *at = (unsigned char *)text;
    for (; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f)
            *at = '?';
        else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            at[0] = at[1] = '?';
        else if (at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0x8b && at[2] <= 0xae) || (at[1] == 0x81 && at[2] >= 0xa0)))
            at[0] = at[1] = at[2] = '?';
    }
    return text;
}

/* Copies the text or the number after "name": into `value`, and returns its end in the JSON; NULL if the JSON has no such name. */
static const char *field(const char *json, const char *name, char *value, size_t size)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = json == NULL ? NULL : strstr(json, key);
    value[0] = '\0';
    if (found == NULL)
        return NULL;
    found += strlen(key);
    size_t length = *found == '"' ? strcspn(++found, "\"") : strcspn(found, ",}");
    snprintf(value, size, "%.*s", (int)length, found);
    shown(value);
    return found + length;
}

static CURL *to_lpad(const char *path)
{
    char url[512];
    const char *unix_socket = getenv("LPAD_SOCKET");
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        exit(1);
    snprintf(url, sizeof url, "http://lpad%s", path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, unix_socket ? unix_socket : "/run/lpad/lpad.sock");
    return curl;
}

/* Sends a request and returns the answer, which the caller must free; if the request fails, prints the error and ends the program. */
static char *call(const char *path, const char *body)
{
    char header[128], uuid[64] = "", told[1024];
    struct text answer = {calloc(1, 1), 0};
    long status = 0;
    CURLcode result = CURLE_OK;
    CURL *curl = to_lpad(path);
    FILE *random = fopen("/proc/sys/kernel/random/uuid", "r");
    if (random == NULL || fscanf(random, "%63s", uuid) != 1)
        exit(1);
    fclose(random);
    snprintf(header, sizeof header, "Idempotency-Key: %s", uuid);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (body != NULL)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    /* With a key, lpad carries out the request once, even if it is repeated after a lost answer. */
    for (int attempt = 0; attempt < 2; attempt++) {
        answer.length = 0;
        if (answer.data != NULL)
            answer.data[0] = '\0';
        result = curl_easy_perform(curl);
        if (result != CURLE_GOT_NOTHING && result != CURLE_RECV_ERROR)
            break;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (result != CURLE_OK) {
        fprintf(stderr, "%s\n", curl_easy_strerror(result));
        exit(1);
    }
    if (status >= 400) {
        field(answer.data, "detail", told, sizeof told);
        fprintf(stderr, "%s\n", told[0] != '\0' ? told : "the answer is not lpad's");
        exit(1);
    }
    return answer.data;
}

static void show_profiles(const char *euicc)
{
    char path[256], iccid[32], state[32], name[128];
    snprintf(path, sizeof path, "/v1/euiccs/%s/profiles", euicc);
    char *answer = call(path, NULL);
    const char *rest = strstr(answer, "\"profiles\":");
    while ((rest = field(rest, "iccid", iccid, sizeof iccid)) != NULL) {
        field(rest, "state", state, sizeof state);
        field(rest, "name", name, sizeof name);
        printf("profile %s %s %s\n", iccid, state, name);
    }
    free(answer);
}

struct stream {
    struct text line;
    char event[32];
    int ended;
};

static void read_line(struct stream *stream)
{
    char first[64], second[64];
    const char *line = stream->line.data;
    if (strncmp(line, "event: ", 7) == 0)
        snprintf(stream->event, sizeof stream->event, "%s", line + 7);
    if (strncmp(line, "data: ", 6) != 0)
        return;
    if (strcmp(stream->event, "progress") == 0) {
        field(line, "sent", first, sizeof first);
        field(line, "total", second, sizeof second);
        if (atol(second) > 0)
            printf("%.0f%%\n", (double)atol(first) * 100 / (double)atol(second));
    } else if (strcmp(stream->event, "change") == 0) {
        field(line, "id", first, sizeof first);
        field(line, "state", second, sizeof second);
        printf("change %s: %s\n", first, second);
        stream->ended = strcmp(second, "queued") != 0 && strcmp(second, "running") != 0;
    }
}

static size_t on_stream(char *from, size_t size, size_t count, void *to)
{
    struct stream *stream = to;
    for (size_t i = 0; i < size * count && !stream->ended; i++) {
        if (from[i] != '\n') {
            if (append(from + i, 1, 1, &stream->line) != 1)
                return 0;
        } else if (stream->line.length > 0) {
            read_line(stream);
            stream->line.length = 0;
        }
    }
    return stream->ended ? 0 : size * count; /* 0 closes the connection, because the stream itself never ends */
}

/* Prints a change's progress until the change ends or waits. */
static void follow(const char *change)
{
    char path[128];
    struct stream stream = {0};
    /* 'after=0-0' requests earlier events, too. */
    snprintf(path, sizeof path, "/v1/events?change=%s&after=0-0", change);
    CURL *curl = to_lpad(path);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_stream);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &stream);
    curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    free(stream.line.data);
}

int main(int count, char **arguments)
{
    char path[256], body[512], id[32], state[32], iccid[32], sentence[1024] = "";
    if (count != 3) {
        fprintf(stderr, "usage: download EUICC ACTIVATION-CODE\n");
        return 2;
    }
    const char *euicc = arguments[1];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    show_profiles(euicc);

    snprintf(path, sizeof path, "/v1/euiccs/%s/downloads", euicc);
    snprintf(body, sizeof body, "{\"activation_code\": \"%s\"}", arguments[2]);
    char *answer = call(path, body);
    field(answer, "id", id, sizeof id);
    free(answer);
    if (atol(id) <= 0) {
        fprintf(stderr, "the answer is not lpad's\n");
        return 1;
    }
    follow(id);

    snprintf(path, sizeof path, "/v1/changes/%s", id);
    answer = call(path, NULL);
    field(answer, "state", state, sizeof state);
    if (strcmp(state, "done") != 0) {
        field(answer, "sentence", sentence, sizeof sentence);
        /* The sentence is that of the change's error or of its pause, after which lpad continues. */
        fprintf(stderr, "%s %s\n", state, sentence);
        return 1;
    }
    field(strstr(answer, "\"result\":"), "iccid", iccid, sizeof iccid);
    free(answer);

    snprintf(path, sizeof path, "/v1/euiccs/%s/profiles/%s/enable?wait=240", euicc, iccid);
    answer = call(path, "");
    field(answer, "state", state, sizeof state);
    free(answer);
    printf("enable %s: %s\n", iccid, state);
    if (strcmp(state, "done") != 0)
        return 1;
    show_profiles(euicc);
    curl_global_cleanup();
    return 0;
}
