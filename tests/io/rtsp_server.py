"""GStreamer's RTSP server on this machine, at /film (an MP4 file from its start) and /camera (live).

    /usr/bin/python3 rtsp_server.py PORT FILE tcp|udp

Debian's Python runs it, which has the bindings. It says on which port it listens; 0 asks for a free one.
"""

import sys


def main() -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

    port, path, transport = sys.argv[1:]
    pipelines = {
        "/film": f'filesrc location="{path}" ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=-1',
        "/camera": (
            "videotestsrc is-live=true num-buffers=50 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 "
            "! jpegenc ! rtpjpegpay name=pay0 pt=26"
        ),
    }
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
    for place, pipeline in pipelines.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        factory.set_protocols(
            GstRtsp.RTSPLowerTrans.UDP
            if transport == "udp"
            else GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP
        )
        server.get_mount_points().add_factory(place, factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on port {port}")
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
