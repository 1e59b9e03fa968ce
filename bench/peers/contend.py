"""One contender's whole way, as somebody would set it up by its documentation.

Reads {peer, source, warehouse, landing, schema, folder, tables} as JSON from standard input, where
tables maps each source table to its columns; writes {cpuS, maxRssMb} of everything it started as JSON
to standard output. Exits with 1, and says why on standard error, if a step fails.
"""

import glob
import json
import os
import resource
import subprocess
import sys
import sysconfig
from urllib.parse import unquote, urlparse

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if len(sys.argv) > 1:
        # A step in a process of its own.
        STEPS[sys.argv[1]](json.load(sys.stdin))
        return
    task = json.load(sys.stdin)
    for step in PEERS[task["peer"]]:
        step(task)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    print(json.dumps({"cpuS": used.ru_utime + used.ru_stime, "maxRssMb": kilobytes / 1024}))


def own_step(name):
    return lambda task: run([sys.executable, os.path.abspath(__file__), name], task, given=task)


def run(command, task, given=None, **more_env):
    env = {
        **os.environ,
        "HOME": task["folder"],
        "SLING_HOME_DIR": task["folder"],
        "SLING_DISABLE_TELEMETRY": "true",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
        **more_env,
    }
    done = subprocess.run(
        command,
        cwd=task["folder"],
        env=env,
        input=None if given is None else json.dumps(given),
        stdin=subprocess.DEVNULL if given is None else None,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{os.path.basename(command[0])} failed: {done.stdout[-1500:]}")


def sling(task):
    [binary] = glob.glob(os.path.join(sysconfig.get_paths()["purelib"], "sling_*/bin/sling-*"))
    os.chmod(binary, 0o755)
    replication = os.path.join(task["folder"], "replication.json")
    with open(replication, "w") as file:
        json.dump(
            {
                "source": "BENCH_SOURCE",
                "target": "BENCH_WAREHOUSE",
                "defaults": {"mode": "full-refresh", "object": task["landing"] + ".{stream_table}"},
                "streams": {
                    f"public.{table}": {"select": columns}
                    for table, columns in task["tables"].items()
                },
            },
            file,
        )
    run(
        [binary, "run", "-r", replication],
        task,
        BENCH_SOURCE=without_tls(task["source"]),
        BENCH_WAREHOUSE=without_tls(task["warehouse"]),
    )


def without_tls(url):
    return f"{url}?sslmode=disable"


def dbt(task):
    url = urlparse(task["warehouse"])
    project = os.path.join(HERE, "dbt")
    run(
        [
            os.path.join(os.path.dirname(sys.executable), "dbt"),
            "run",
            "--project-dir", project,
            "--profiles-dir", project,
            "--target-path", os.path.join(task["folder"], "target"),
            "--log-path", os.path.join(task["folder"], "logs"),
        ],
        task,
        PEER_HOST=url.hostname,
        PEER_PORT=str(url.port),
        PEER_USER=unquote(url.username),
        PEER_PASSWORD=unquote(url.password),
        PEER_DATABASE=url.path.lstrip("/"),
        PEER_SCHEMA=task["schema"],
        PEER_LANDING=task["landing"],
    )


def dlt_with(backend):
    def load(task):
        import dlt
        from dlt.sources.sql_database import sql_table

        tables = [
            sql_table(
                credentials=task["source"].replace("postgres://", "postgresql://", 1),
                schema="public",
                table=table,
                backend=backend,
                included_columns=columns,
                chunk_size=50_000,
                reflection_level="full_with_precision",
            )
            for table, columns in task["tables"].items()
        ]
        pipeline = dlt.pipeline(
            pipeline_name="bench",
            pipelines_dir=os.path.join(task["folder"], "dlt"),
            destination=dlt.destinations.postgres(
                credentials=task["warehouse"].replace("postgres://", "postgresql://", 1)
            ),
            dataset_name=task["landing"],
        )
        # Tables of Arrow go in by COPY as CSV, its fastest way into Postgres.
        pipeline.run(tables, loader_file_format="csv", write_disposition="replace")

    return load


def attach_duckdb(task):
    import duckdb

    base = sysconfig.get_paths()["purelib"]
    [extension] = glob.glob(
        os.path.join(base, "duckdb_ext/extensions/*/*/postgres_scanner.duckdb_extension")
    )
    db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    db.execute(f"load '{extension}'")
    db.execute(f"attach '{task['source']}' as source (type postgres, read_only)")
    return db


def selected(db, table, columns):
    names = ", ".join(f'"{column}"' for column in columns)
    types = db.execute(f'describe select {names} from source.public."{table}"').fetchall()
    # It makes no enums in another database.
    cells = ", ".join(
        f'"{name}"::varchar as "{name}"' if kind.startswith("ENUM") else f'"{name}"'
        for name, kind, *_ in types
    )
    return f'select {cells} from source.public."{table}"'


def duckdb_parquet(task):
    db = attach_duckdb(task)
    for table, columns in task["tables"].items():
        path = os.path.join(task["folder"], f"{table}.parquet")
        rows = selected(db, table, columns)
        db.execute(f"copy ({rows}) to '{path}' (format parquet, compression zstd)")


def duckdb_postgres(task):
    db = attach_duckdb(task)
    db.execute(f"attach '{task['warehouse']}' as warehouse (type postgres)")
    db.execute(f"create schema if not exists warehouse.{task['landing']}")
    for table, columns in task["tables"].items():
        rows = selected(db, table, columns)
        db.execute(f'create table warehouse.{task["landing"]}."{table}" as {rows}')


STEPS = {
    "dlt_connectorx": dlt_with("connectorx"),
    "dlt_pyarrow": dlt_with("pyarrow"),
    "duckdb_parquet": duckdb_parquet,
    "duckdb_postgres": duckdb_postgres,
}

PEERS = {
    "sling": [sling, dbt],
    "dlt_connectorx": [own_step("dlt_connectorx"), dbt],
    "dlt_pyarrow": [own_step("dlt_pyarrow"), dbt],
    "duckdb_postgres": [own_step("duckdb_postgres"), dbt],
    "duckdb": [own_step("duckdb_parquet")],
}

main()
