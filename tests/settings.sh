#!/usr/bin/env bash
# Run the whole test suite, slow tests included, in each of the settings in which it must pass: other vector
# instructions, other numbers of threads, another order, one process or several, a busy machine. By hand; a setting
# takes as long as `make test-all`, the serial ones twice that.
#
#   tests/settings.sh                    every setting
#   tests/settings.sh native dnnl-sse41  these alone
#   tests/settings.sh serial+random      both at once
#   tests/settings.sh --list             their names
#
# Each setting prints one line: name, passed or FAILED, what pytest counted, seconds. The exit status is 1 if one
# failed; the others still run. A file of each setting's output stays in the folder that the first line names.
#
# PYTHON: the interpreter (.venv/bin/python). TESTS: paths to run instead of the whole suite, for a quick look.
# SEED: of the random orders (drawn, and printed). LIMIT_S: when a setting counts as hung (7200).
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
SEED=${SEED:-$RANDOM}
LIMIT_S=${LIMIT_S:-7200}
read -ra TESTS <<<"${TESTS:-}"
NAMES=(native aten-default aten-avx2 dnnl-sse41 dnnl-avx2 numpy-baseline threads-1 threads-2 random serial busy)
busy=()

stop_busy() {
  [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2>/dev/null
  busy=()
}
trap stop_busy EXIT

# What numpy chooses at run time; without it, the sums and elementary functions of the oldest x86-64 or Arm remain.
numpy_features() {
  "$PYTHON" -c '
from numpy._core import _multiarray_umath as core
print(*(name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)))'
}

# What one setting adds to the environment and to pytest's options.
add() {
  case $1 in
    native) ;;
    aten-default) environment+=(ATEN_CPU_CAPABILITY=default) ;;
    aten-avx2) environment+=(ATEN_CPU_CAPABILITY=avx2) ;;
    dnnl-sse41) environment+=(DNNL_MAX_CPU_ISA=SSE41) ;;
    dnnl-avx2) environment+=(DNNL_MAX_CPU_ISA=AVX2) ;;
    numpy-baseline) environment+=(NPY_DISABLE_CPU_FEATURES="$(numpy_features)" OPENBLAS_CORETYPE=Prescott) ;;
    threads-[12]) # passive: threads of several workers that wait in a loop would take the cores from each other
      environment+=(OMP_NUM_THREADS="${1#*-}" MKL_NUM_THREADS="${1#*-}" OMP_WAIT_POLICY=passive)
      ;;
    random) options+=(-p randomly --randomly-seed="$SEED") ;;
    serial) workers=(-p no:xdist) ;;
    busy)
      for _ in 1 2 3 4 5 6 7 8; do
        "$PYTHON" -c 'while True: pass' &
        busy+=($!)
      done
      ;;
  esac
}

run_setting() {
  local environment=() options=() workers=(-n auto --maxprocesses 8 --dist worksteal) name
  for name in ${1//+/ }; do add "$name"; done
  env "${environment[@]}" timeout "$LIMIT_S" "$PYTHON" -m pytest -m "slow or not slow" "${workers[@]}" "${options[@]}" "${TESTS[@]}"
  local status=$?
  stop_busy
  return "$status"
}

[ "${1:-}" != --list ] || {
  printf '%s\n' "${NAMES[@]}"
  exit 0
}
chosen=("$@")
[ $# -gt 0 ] || chosen=("${NAMES[@]}")
for name in "${chosen[@]}"; do
  for part in ${name//+/ }; do
    [[ " ${NAMES[*]} " == *" $part "* ]] || {
      echo "$part: no such setting; choose from ${NAMES[*]}" >&2
      exit 2
    }
  done
done
logs=$(mktemp -d "${TMPDIR:-/tmp}/settings.XXXXXX")
echo "logs: $logs; seed of the random orders: $SEED"
failed=0
for name in "${chosen[@]}"; do
  begin=$SECONDS
  run_setting "$name" >"$logs/$name.log" 2>&1 </dev/null
  status=$?
  verdict=passed
  [ "$status" -eq 0 ] || verdict=FAILED failed=1
  [ "$status" -ne 124 ] || echo "hung: stopped after $LIMIT_S s" >>"$logs/$name.log"
  counts=$(grep -E '^(=+ )?[0-9]+ (passed|failed|skipped|error|deselected)|^hung' "$logs/$name.log" | tail -n 1)
  printf '%-30s %-7s %s, %d s\n' "$name" "$verdict" "${counts:-status $status: see the log}" $((SECONDS - begin))
done
exit "$failed"
