#!/bin/sh
# Lists a card's profiles, downloads a profile, shows its progress and enables it. Needs curl and jq.
# Usage: download.sh EUICC ACTIVATION-CODE
set -eu
euicc=$1 code=$2
socket=${LPAD_SOCKET:-/run/lpad/lpad.sock}

# A jq function: returns a text from a card or server without characters that control the terminal.
shown='def shown: tostring | gsub("[\\p{Cc}\\p{Cf}]"; "?");'

lpad() { # lpad PATH [CURL-OPTION...]: prints the answer; if the request fails, prints the error's sentence and fails
    path=$1
    shift
    # With a key, lpad carries out the request once, even if it is repeated after a lost answer (52, 56).
    key=$(cat /proc/sys/kernel/random/uuid)
    for _ in first second; do
        status=0
        answer=$(curl --silent --show-error --fail-with-body --unix-socket "$socket" \
            -H "Idempotency-Key: $key" "$@" "http://lpad$path") || status=$?
        case $status in 52 | 56) ;; *) break ;; esac
    done
    [ $status = 0 ] || {
        printf '%s' "$answer" | jq -r "$shown"'.detail | shown' >&2 || true
        return $status
    }
    [ -n "$answer" ] || {
        echo 'the answer is empty' >&2
        return 1
    }
    printf '%s\n' "$answer"
}

profiles() {
    list=$(lpad "/v1/euiccs/$euicc/profiles")
    printf '%s' "$list" | jq -r "$shown"'.profiles[] | "profile \(.iccid) \(.state) \(.nickname // .name // "")" | shown'
}

profiles

body=$(jq -n --arg code "$code" '{activation_code: $code}')
download=$(lpad "/v1/euiccs/$euicc/downloads" -d "$body")
change=$(printf '%s' "$download" | jq -r "$shown"'.id | shown')

# 'after=0-0' requests earlier events, too. The stream never ends, so the script ends curl after the last event.
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
mkfifo "$folder/events"
curl --silent --no-buffer --unix-socket "$socket" \
    "http://lpad/v1/events?change=$change&after=0-0" >"$folder/events" &
while IFS= read -r line; do
    case $line in
    'event: '*) event=${line#event: } ;;
    'data: '*)
        data=${line#data: }
        case $event in
        progress) printf '%s' "$data" | jq -r '"\(.sent * 100 / .total | floor)%"' ;;
        change)
            state=$(printf '%s' "$data" | jq -r "$shown"'.state | shown')
            echo "change $change: $state"
            case $state in done | failed | cancelled | waiting) break ;; esac
            ;;
        esac
        ;;
    esac
done <"$folder/events"
kill $! 2>/dev/null || true

# The change shows the result; a waiting change has a question, or a pause after which lpad continues.
download=$(lpad "/v1/changes/$change")
iccid=$(printf '%s' "$download" | jq -er "$shown"'if .state == "done" then .result.iccid | shown
    else error(.error.sentence // .question.kind // .pause.error.sentence // .pause.reason | shown) end')

enable=$(lpad "/v1/euiccs/$euicc/profiles/$iccid/enable?wait=240" -X POST)
state=$(printf '%s' "$enable" | jq -r "$shown"'.state | shown')
echo "enable $iccid: $state"
[ "$state" = 'done' ]
profiles
