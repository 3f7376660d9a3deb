"""Endings of images and videos: what a folder holds is told by them before anything is opened."""

from __future__ import annotations


def _endings(text: str) -> frozenset[str]:
    lines = [line for line in text.splitlines() if "#" not in line]
    return frozenset(" ".join(lines).split())


IMAGE_SUFFIXES = _endings(
    """
    .avif .bmp .dib .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp
    """
)
"""Images that are read; many in a folder are one source."""

VIDEO_SUFFIXES = _endings(
    """
    # files of cameras, players, discs and broadcasts
    .3g2 .3gp .3gp2 .3gpp .amv .asf .avi .dav .dif .divx .dv .dvr-ms .evo .f4p .f4v .flv .gxf .hdmov
    .ifv .imx .insv .ismv .ivr .k3g .kux .lrv .lxf .m1v .m2p .m2t .m2ts .m2v .m4s .m4v .mj2 .mk3d .mkv
    .mod .mov .movie .mp2t .mp2v .mp4 .mp4v .mpe .mpeg .mpeg2 .mpeg4 .mpg .mpg4 .mpv .mqv .mts .mtv .mxf
    .mxg .nsv .nut .nuv .ogm .ogv .ogx .pva .qt .rec .rm .rmvb .rv .skm .tod .tp .trp .ts .ty .ty+ .viv
    .vivo .vob .vro .webm .wm .wmv .wtv .xesc .xvid
    # streams of a codec alone
    .261 .263 .264 .265 .266 .apv .av1 .avc .avs2 .avs3 .cavs .dirac .drc .evc .h261 .h263 .h264 .h265
    .h266 .h26l .hevc .ivf .mjpeg .mjpg .obu .rcv .vc1 .vc2 .vvc .y4m
    # animations, and films in games and of science
    .apng .avifs .bik .bk2 .cine .cpk .flc .fli .flic .flm .gif .ipu .moflex .mve .mvi .roq .ser .smk
    .thp .usm .vmd .vqa .xmv .yop
    """
)
"""Videos and animations; many in a folder are several sources."""

OTHER_SUFFIXES = _endings(
    """
    # images
    .avci .avcs .dds .djvu .dpx .emf .eps .exr .fit .fits .hdr .heic .heics .heif .heifs .hif .ico .j2c
    .j2k .jls .jng .jpc .jpf .jps .jpx .jxl .jxr .mng .mpo .pam .pcx .pfm .pgx .phm .pic .pict .psb .psd
    .qoi .ras .sgi .svg .svgz .tga .wbmp .wdp .wmf .xbm .xcf .xpm .xwd
    # photographs as the sensor gave them
    .3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw
    .rw2 .rwl .sr2 .srf .srw .x3f
    # videos that do not say how large they are, or that no free decoder reads
    .ari .braw .cif .crm .nv12 .qcif .r3d .rgb .swf .v210 .yuv .yuv10
    """
)
"""Images and videos that are not read from a folder; they are named as skipped."""
